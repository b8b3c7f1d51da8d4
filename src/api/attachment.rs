use kube::api::{ApiResource, GroupVersionKind};

/// `NetworkAttachmentDefinition`, the kind that Multus reads: what is known of it without being ours.
///
/// Its custom resource definition is that of the Network Plumbing Working Group; installations that have none get
/// `manifests/multus`.
#[derive(Clone, Copy, Debug)]
pub struct AttachmentDefinition;

impl AttachmentDefinition {
    /// API group.
    pub const GROUP: &str = "k8s.cni.cncf.io";
    /// The one version.
    pub const VERSION: &str = "v1";
    /// As in manifests.
    pub const KIND: &str = "NetworkAttachmentDefinition";
    /// As in URLs.
    pub const PLURAL: &str = "network-attachment-definitions";

    /// What a client without the type asks the API server for.
    #[must_use]
    pub fn resource() -> ApiResource {
        ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(Self::GROUP, Self::VERSION, Self::KIND),
            Self::PLURAL,
        )
    }
}
