//! The certificate authority that data planes trust the operator by.
