//! What each Gateway of ours gets: Deployment, Service and what belongs to them.
