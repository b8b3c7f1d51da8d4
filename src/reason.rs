//! Reason codes: one list, the same in denials, warnings, Events, metrics and `explain`.

use std::fmt;

/// Why a request was decided as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Neither the pod nor its namespace names a group.
    NotOptedIn,
    /// The pod's value is `none` or `disabled`.
    OptedOut,
    /// `podResourceInject.enabled` is false.
    InjectionDisabled,
    /// The pod uses the host's network.
    HostNetwork,
    /// The pod is the API server's copy of a static pod.
    MirrorPod,
    /// The pod runs on Windows nodes.
    WindowsPod,
    /// The namespace is listed in `namespacesExclude`.
    NamespaceExcluded,
    /// The namespace is not listed in `namespacesInclude`.
    NamespaceNotIncluded,
    /// The namespace is railweave's own.
    ReleaseNamespace,
    /// The pod was given its networks.
    Injected,
    /// The pod has them already.
    AlreadyInjected,
    /// The key is there, without a value.
    EmptyGroup,
    /// No network belongs to the group.
    UnknownGroup,
    /// Networks of the group exist, but in namespaces that may not serve this one.
    GroupNotAllowed,
    /// A network of the group lacks what the group needs.
    InvalidMember,
    /// The pod has no regular container.
    NoContainer,
    /// The container named by the pod does not exist.
    UnknownContainer,
    /// A container asks for a resource with a quantity that is no whole number.
    InvalidQuantity,
    /// The pod names networks itself, and the configuration refuses that.
    ConflictingNetworks,
    /// The pod's own list of networks cannot be read.
    MalformedNetworks,
    /// A custom resource is right as it is.
    Valid,
    /// A custom resource was brought into canonical form.
    Normalised,
    /// A custom resource breaks a rule.
    Invalid,
    /// A custom resource uses a deprecated spelling, and the configuration refuses that.
    DeprecatedSpelling,
    /// A final-state policy found an opted-in pod without its networks.
    NotInjected,
    /// No pool is named for the interface, or none of those named exists.
    NoPool,
    /// Pools are named, but none of them serves the pod.
    NoEligiblePool,
    /// An annotation that names pools cannot be read, or does not fit the pod's interfaces.
    UnusablePoolNames,
    /// The annotation that names routes cannot be read.
    UnusableRoutes,
    /// There is no pool of this name, or none matches the pattern.
    PoolUnknown,
    /// The pool, or what its status records, cannot be read.
    PoolUnreadable,
    /// The pool is being deleted.
    PoolTerminating,
    /// The pool is disabled.
    PoolDisabled,
    /// The pool overlaps an older one.
    PoolOverlaps,
    /// The pool is of the other family.
    PoolOtherFamily,
    /// The pool is for other nodes.
    PoolOtherNode,
    /// The pool is for other namespaces.
    PoolOtherNamespace,
    /// The pool is for other pods.
    PoolOtherPod,
    /// The pool is for other networks.
    PoolOtherNetwork,
    /// The pool's subnet holds no address of the physical function.
    PoolOtherSubnet,
    /// Every address of the pool is in use.
    PoolExhausted,
    /// The pool has as many records as one object may hold.
    PoolFull,
    /// A running pod has an address that is recorded for another running pod.
    AddressShared,
    /// The request could not be read.
    Unreadable,
    /// The server broke while it decided.
    InternalError,
}

impl Reason {
    /// All codes, for the metrics and the documentation.
    pub const ALL: [Self; 45] = [
        Self::NotOptedIn,
        Self::OptedOut,
        Self::InjectionDisabled,
        Self::HostNetwork,
        Self::MirrorPod,
        Self::WindowsPod,
        Self::NamespaceExcluded,
        Self::NamespaceNotIncluded,
        Self::ReleaseNamespace,
        Self::Injected,
        Self::AlreadyInjected,
        Self::EmptyGroup,
        Self::UnknownGroup,
        Self::GroupNotAllowed,
        Self::InvalidMember,
        Self::NoContainer,
        Self::UnknownContainer,
        Self::InvalidQuantity,
        Self::ConflictingNetworks,
        Self::MalformedNetworks,
        Self::Valid,
        Self::Normalised,
        Self::Invalid,
        Self::DeprecatedSpelling,
        Self::NotInjected,
        Self::NoPool,
        Self::NoEligiblePool,
        Self::UnusablePoolNames,
        Self::UnusableRoutes,
        Self::PoolUnknown,
        Self::PoolUnreadable,
        Self::PoolTerminating,
        Self::PoolDisabled,
        Self::PoolOverlaps,
        Self::PoolOtherFamily,
        Self::PoolOtherNode,
        Self::PoolOtherNamespace,
        Self::PoolOtherPod,
        Self::PoolOtherNetwork,
        Self::PoolOtherSubnet,
        Self::PoolExhausted,
        Self::PoolFull,
        Self::AddressShared,
        Self::Unreadable,
        Self::InternalError,
    ];

    /// The code as it is printed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotOptedIn => "NotOptedIn",
            Self::OptedOut => "OptedOut",
            Self::InjectionDisabled => "InjectionDisabled",
            Self::HostNetwork => "HostNetwork",
            Self::MirrorPod => "MirrorPod",
            Self::WindowsPod => "WindowsPod",
            Self::NamespaceExcluded => "NamespaceExcluded",
            Self::NamespaceNotIncluded => "NamespaceNotIncluded",
            Self::ReleaseNamespace => "ReleaseNamespace",
            Self::Injected => "Injected",
            Self::AlreadyInjected => "AlreadyInjected",
            Self::EmptyGroup => "EmptyGroup",
            Self::UnknownGroup => "UnknownGroup",
            Self::GroupNotAllowed => "GroupNotAllowed",
            Self::InvalidMember => "InvalidMember",
            Self::NoContainer => "NoContainer",
            Self::UnknownContainer => "UnknownContainer",
            Self::InvalidQuantity => "InvalidQuantity",
            Self::ConflictingNetworks => "ConflictingNetworks",
            Self::MalformedNetworks => "MalformedNetworks",
            Self::Valid => "Valid",
            Self::Normalised => "Normalised",
            Self::Invalid => "Invalid",
            Self::DeprecatedSpelling => "DeprecatedSpelling",
            Self::NotInjected => "NotInjected",
            Self::NoPool => "NoPool",
            Self::NoEligiblePool => "NoEligiblePool",
            Self::UnusablePoolNames => "UnusablePoolNames",
            Self::UnusableRoutes => "UnusableRoutes",
            Self::PoolUnknown => "PoolUnknown",
            Self::PoolUnreadable => "PoolUnreadable",
            Self::PoolTerminating => "PoolTerminating",
            Self::PoolDisabled => "PoolDisabled",
            Self::PoolOverlaps => "PoolOverlaps",
            Self::PoolOtherFamily => "PoolOtherFamily",
            Self::PoolOtherNode => "PoolOtherNode",
            Self::PoolOtherNamespace => "PoolOtherNamespace",
            Self::PoolOtherPod => "PoolOtherPod",
            Self::PoolOtherNetwork => "PoolOtherNetwork",
            Self::PoolOtherSubnet => "PoolOtherSubnet",
            Self::PoolExhausted => "PoolExhausted",
            Self::PoolFull => "PoolFull",
            Self::AddressShared => "AddressShared",
            Self::Unreadable => "Unreadable",
            Self::InternalError => "InternalError",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
