use serde::Deserialize;

use super::failure::RailFailure;
use super::intent::Intent;
use crate::api::{AllocationDetail, Route, keys};
use crate::net::{Address, Subnet};
use crate::reason::Reason;

/// A route that the pod asks for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CustomRoute {
    dst: String,
    gw: Address,
}

#[derive(Deserialize)]
struct Written {
    dst: String,
    gw: String,
}

/// `ipam.spidernet.io/routes` of the pod: `[{"dst":"10.0.0.0/8","gw":"172.16.0.1"}]`.
pub(super) fn custom(intent: &Intent) -> Result<Vec<CustomRoute>, RailFailure> {
    const KEY: &str = keys::POD_ROUTES;
    let failure =
        |detail: String| RailFailure::whole(Reason::UnusableRoutes, format!("annotation {KEY}: {detail}"));
    let Some(text) = intent.annotations.get(KEY).filter(|text| !text.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let routes: Vec<Written> = serde_json::from_str(text).map_err(|error| failure(error.to_string()))?;
    let read = |(index, route): (usize, &Written)| {
        let Written { dst, gw } = route;
        let subnet: Subnet = dst.parse().map_err(|error| failure(format!("[{index}].dst: {error}")))?;
        let address: Address = gw.parse().map_err(|error| failure(format!("[{index}].gw: {error}")))?;
        if subnet.family() == address.family() {
            return Ok(CustomRoute { dst: dst.clone(), gw: address });
        }
        let detail = format!("[{index}]: dst is {}, gw is {}", subnet.family(), address.family());
        Err(failure(detail))
    };
    routes.iter().enumerate().map(read).collect()
}

/// Gives each route to the first interface whose subnet holds its gateway; returns a warning for each that fits none.
pub(super) fn hand_out(routes: &[CustomRoute], details: &mut [AllocationDetail]) -> Vec<String> {
    let mut warnings = Vec::new();
    for CustomRoute { dst, gw } in routes {
        let reaches = |address: &Option<String>| {
            let subnet = address.as_ref().and_then(|text| text.parse::<Subnet>().ok());
            subnet.is_some_and(|subnet| subnet.contains(*gw))
        };
        match details.iter_mut().find(|detail| reaches(&detail.ipv4) || reaches(&detail.ipv6)) {
            Some(detail) => detail.routes.get_or_insert_default().push(route(dst, *gw)),
            None => warnings.push(format!(
                "annotation {}: route to {dst} is left out, because no interface has a subnet with {gw}",
                keys::POD_ROUTES
            )),
        }
    }
    warnings
}

fn route(dst: &str, gw: Address) -> Route {
    Route { dst: Some(dst.to_owned()), gw: Some(gw.to_string()), ..Route::default() }
}
