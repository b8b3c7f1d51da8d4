//! The messages of `podresources/v1` that are read here; fields of theirs that are not, are passed over.

/// Asks for either list; both requests are empty.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Empty {}

/// Answer to `GetAllocatableResources`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Allocatable {
    #[prost(message, repeated, tag = "1")]
    pub(crate) devices: Vec<ContainerDevices>,
}

/// Answer to `List`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Allocated {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pods: Vec<Pod>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pod {
    #[prost(message, repeated, tag = "3")]
    pub(crate) containers: Vec<Container>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Container {
    #[prost(message, repeated, tag = "2")]
    pub(crate) devices: Vec<ContainerDevices>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ContainerDevices {
    #[prost(string, tag = "1")]
    pub(crate) resource: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) devices: Vec<String>,
}
