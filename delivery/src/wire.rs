//! The messages of the stream `doorward.delivery.v1.Delivery/Stream`, in both directions.
//!
//! A replica says [`Hello`] first, then, when it wants to be served by this operator, what it holds in
//! [`Held`] chunks. The operator answers with [`Delta`] chunks: one complete delta at a time, the next one when the
//! replica has [`Settled`] the last. A replica that is served by another operator sends only what it settled.

use bytes::Bytes;

/// The path of the one method.
pub(crate) const PATH: &str = "/doorward.delivery.v1.Delivery/Stream";

/// The form of resources that this build speaks.
pub(crate) const FORMAT: u32 = 1;

/// Bytes of one message at most, in both directions.
pub(crate) const MESSAGE: usize = 16 << 20;

/// From a replica.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FromReplica {
    #[prost(oneof = "Said", tags = "1, 2, 3")]
    pub(crate) said: Option<Said>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Said {
    #[prost(message, tag = "1")]
    Hello(Hello),
    #[prost(message, tag = "2")]
    Held(Held),
    #[prost(message, tag = "3")]
    Settled(Settled),
}

/// The Gateway that the replica serves, and the form that it reads.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Hello {
    #[prost(string, tag = "1")]
    pub(crate) namespace: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint32, tag = "3")]
    pub(crate) format: u32,
}

/// What the replica holds; the last chunk asks for the difference.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Held {
    #[prost(message, repeated, tag = "1")]
    pub(crate) resources: Vec<HeldResource>,
    #[prost(bool, tag = "2")]
    pub(crate) last: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HeldResource {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) version: Bytes,
}

/// The replica serves this state of the Gateway, except for what it refused.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Settled {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) digest: Bytes,
    #[prost(message, repeated, tag = "2")]
    pub(crate) refused: Vec<RefusedResource>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RefusedResource {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}

/// From the operator: a part of what differs. It counts when the last part is there.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Delta {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) digest: Bytes,
    #[prost(message, repeated, tag = "2")]
    pub(crate) upserts: Vec<Upsert>,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(crate) removals: Vec<Bytes>,
    #[prost(bool, tag = "4")]
    pub(crate) last: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Upsert {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) version: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) value: Bytes,
}
