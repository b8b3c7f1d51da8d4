use std::fmt;

use kube::api::{ApiResource, GroupVersionKind};

/// API group of every custom resource.
pub const GROUP: &str = "spiderpool.spidernet.io";
/// The one served and stored version.
pub const VERSION: &str = "v2beta1";

/// The six custom resources of group [`GROUP`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A pool of addresses.
    IpPool,
    /// A subnet that controls pools.
    Subnet,
    /// Addresses that no pool may hand out.
    ReservedIp,
    /// How pods' interfaces and routes are tuned.
    Coordinator,
    /// The addresses of one pod.
    Endpoint,
    /// A network; rendered into a `NetworkAttachmentDefinition`.
    MultusConfig,
}

impl Kind {
    /// All kinds, in the order in which their CRDs are installed.
    pub const ALL: [Self; 6] =
        [Self::IpPool, Self::Subnet, Self::ReservedIp, Self::Coordinator, Self::Endpoint, Self::MultusConfig];

    /// The kinds whose writes are sent to the webhooks.
    pub const ADMITTED: [Self; 5] =
        [Self::IpPool, Self::Subnet, Self::ReservedIp, Self::Coordinator, Self::MultusConfig];

    /// `SpiderIPPool`, as in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IpPool => "SpiderIPPool",
            Self::Subnet => "SpiderSubnet",
            Self::ReservedIp => "SpiderReservedIP",
            Self::Coordinator => "SpiderCoordinator",
            Self::Endpoint => "SpiderEndpoint",
            Self::MultusConfig => "SpiderMultusConfig",
        }
    }

    /// `spiderippools`, as in URLs.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::IpPool => "spiderippools",
            Self::Subnet => "spidersubnets",
            Self::ReservedIp => "spiderreservedips",
            Self::Coordinator => "spidercoordinators",
            Self::Endpoint => "spiderendpoints",
            Self::MultusConfig => "spidermultusconfigs",
        }
    }

    /// `spiderippool`, as in webhook names and paths.
    #[must_use]
    pub fn singular(self) -> &'static str {
        self.plural().trim_end_matches('s')
    }

    /// What a client without the type asks the API server for.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, self.name()), self.plural())
    }

    /// Whether objects of this kind live in a namespace.
    #[must_use]
    pub fn namespaced(self) -> bool {
        matches!(self, Self::Endpoint | Self::MultusConfig)
    }

    /// The kind with this manifest name, if it is one of ours.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
