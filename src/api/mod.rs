//! The external contract: custom resources, annotation keys and the `ConfigMap`, as plain data.
//!
//! Everything here mirrors what users of the guide already wrote. The types are deliberately lenient
//! (nearly every field is optional, numbers that people also write as text are [`IntOrString`]), because
//! [`crate::rules`] wants to see what was written in order to explain what is wrong with it.
//! Read [`Kind`] first, then [`SpiderMultusConfigSpec`]. This folder does no I/O and knows no clock.

mod attachment;
mod blocks;
mod coordinator;
mod crd;
mod endpoint;
mod ip_pool;
pub mod keys;
mod kind;
mod multus_config;
pub mod networks;
mod rail_node;
mod reserved_ip;
mod schema;
pub mod settings;
mod shared;
mod subnet;
mod text_map;

pub use attachment::AttachmentDefinition;
pub use blocks::{
    BondConfig, IbSriovConfig, IpoibConfig, IpvlanConfig, MacvlanConfig, OvsConfig, OvsTrunk, Pools,
    SriovConfig, VlanConfig,
};
pub use coordinator::{CoordinatorSpec, SpiderCoordinator, SpiderCoordinatorStatus};
pub use crd::rail_node_crd;
pub use endpoint::{
    AllocationDetail, SpiderEndpoint, SpiderEndpointSpec, SpiderEndpointStatus, WorkloadAllocation,
};
pub use ip_pool::{SpiderIPPool, SpiderIPPoolSpec, SpiderIPPoolStatus};
pub use kind::{GROUP, Kind, VERSION};
pub use multus_config::{CniType, SpiderMultusConfig, SpiderMultusConfigSpec, SpiderMultusConfigStatus};
pub use rail_node::{LinkType, NodeResource, PhysicalFunction, RailNode, RailNodeSpec};
pub use reserved_ip::{SpiderReservedIP, SpiderReservedIPSpec};
pub use shared::{Condition, IntOrString, Route};
pub use subnet::{SpiderSubnet, SpiderSubnetSpec, SpiderSubnetStatus};
pub use text_map::TextMap;
