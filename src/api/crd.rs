use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{
    Kind, RailNode, SpiderCoordinator, SpiderEndpoint, SpiderIPPool, SpiderMultusConfig, SpiderReservedIP,
    SpiderSubnet,
};

impl Kind {
    /// The custom resource definition of the kind, as it is shipped and installed.
    ///
    /// It is what the derive macros make of the Rust types, except for two things. No field is nullable, so
    /// the API server prunes `gateway: null` as if it were not there. And the `status` of a
    /// `SpiderEndpoint` is an ordinary, required field, because writers of that kind put all of it in one
    /// create.
    #[must_use]
    pub fn crd(self) -> CustomResourceDefinition {
        let mut crd = match self {
            Self::IpPool => SpiderIPPool::crd(),
            Self::Subnet => SpiderSubnet::crd(),
            Self::ReservedIp => SpiderReservedIP::crd(),
            Self::Coordinator => SpiderCoordinator::crd(),
            Self::Endpoint => SpiderEndpoint::crd(),
            Self::MultusConfig => SpiderMultusConfig::crd(),
        };
        for version in &mut crd.spec.versions {
            if self == Self::Endpoint {
                version.subresources = None;
            }
            if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
                if self == Self::Endpoint {
                    schema.required = Some(vec!["status".to_owned()]);
                }
                forbid_null(schema);
            }
        }
        crd
    }
}

/// The custom resource definition of [`RailNode`], which is of a group of its own.
#[must_use]
pub fn rail_node_crd() -> CustomResourceDefinition {
    let mut crd = RailNode::crd();
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        forbid_null(schema);
    }
    crd
}

fn forbid_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        forbid_null(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => forbid_null(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(forbid_null),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        forbid_null(values);
    }
}
