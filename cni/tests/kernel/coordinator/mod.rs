//! The coordinator on namespaces that stand for a node, a pod and the network of its rails.

mod agent;
mod lab;
mod lifecycle;
mod overlay;
mod state;
mod underlay;

use libtest_mimic::Trial;

use crate::trial;

macro_rules! trials {
    ($($module:ident :: $name:ident),* $(,)?) => {
        vec![$(trial(concat!("coordinator::", stringify!($module), "::", stringify!($name)), $module::$name)),*]
    };
}

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        overlay::one_rail,
        overlay::two_rails_of_two_families,
        overlay::one_rail_of_ipv6,
        overlay::a_node_without_a_family_of_the_rail,
        overlay::an_overlay_of_shorter_packets,
        overlay::a_rail_of_a_family_that_the_overlay_lacks,
        overlay::eight_rails_in_any_order_and_twice,
        overlay::eight_rails_of_ipv6_and_of_both,
        overlay::eight_rails_at_once,
        overlay::eight_rails_backwards,
        overlay::a_rail_with_the_default_route,
        overlay::routes_that_are_not_to_be_tuned,
        overlay::every_setting,
        overlay::policy_routes_of_the_cluster,
        overlay::an_overlay_of_bridges,
        underlay::the_node_and_the_pod_reach_each_other,
        underlay::rails_beside_it_of_two_families,
        underlay::one_rail_beside_it,
        underlay::eight_rails_beside_it_of_two_families,
        underlay::of_ipv6_alone,
        underlay::a_rail_has_the_default_route,
        underlay::two_pods_at_once,
        lifecycle::a_network_that_is_off_needs_no_agent,
        lifecycle::without_the_agent_it_is_to_be_tried_again,
        lifecycle::what_cannot_be_is_refused_before_anything_is_touched,
        lifecycle::a_failure_leaves_no_trace,
        lifecycle::a_default_route_needs_a_gateway,
        lifecycle::a_default_route_that_was_only_promised,
        lifecycle::an_interface_without_addresses,
        lifecycle::nothing_stays_on_the_node,
        lifecycle::a_rail_leaves_a_pod_that_lives_on,
        lifecycle::a_record_that_cannot_be_read_keeps_no_pod,
        lifecycle::a_pod_of_the_plugin_in_go_is_detached,
        lifecycle::a_check_finds_what_was_changed,
        lifecycle::garbage_of_this_network_is_removed,
        lifecycle::a_path_that_means_another_namespace_by_now,
        lifecycle::killed_at_any_moment,
        lifecycle::a_rail_killed_at_any_moment,
    ]
}
