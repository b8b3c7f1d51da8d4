//! Tests against the kernel of this machine, each in a network namespace of its own.
//!
//! The state that a test starts from is made with `ip`, which also says how things stand afterwards. They are skipped,
//! with the reason, where namespaces cannot be made or there is no `ip`.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod addresses;
#[path = "../agent/mod.rs"]
mod agent;
mod changes;
mod coordinator;
mod host_interfaces;
mod links;
mod machine;
mod namespace;
mod namespaces;
mod rail;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        trial("links::and_addresses_are_listed", links::and_addresses_are_listed),
        trial("links::that_are_many_are_all_listed", links::that_are_many_are_all_listed),
        trial("links::that_change_wake_the_monitor", links::that_change_wake_the_monitor),
        trial("links::belong_to_the_socket_s_namespace", links::belong_to_the_socket_s_namespace),
        trial("links::that_are_not_there_are_refused", links::that_are_not_there_are_refused),
        trial("changes::of_links_show", changes::of_links_show),
        trial(
            "changes::that_move_a_link_rename_it_on_the_way",
            changes::that_move_a_link_rename_it_on_the_way,
        ),
        trial("changes::of_addresses_are_idempotent", changes::of_addresses_are_idempotent),
        trial("changes::of_routes_and_rules_are_idempotent", changes::of_routes_and_rules_are_idempotent),
        trial(
            "changes::append_routes_to_those_that_there_are",
            changes::append_routes_to_those_that_there_are,
        ),
        trial("changes::of_neighbours_replace", changes::of_neighbours_replace),
        trial(
            "changes::that_make_a_veth_put_its_other_end_elsewhere",
            changes::that_make_a_veth_put_its_other_end_elsewhere,
        ),
        trial(
            "changes::of_ipv6_routes_with_several_next_hops_are_made_hop_by_hop",
            changes::of_ipv6_routes_with_several_next_hops_are_made_hop_by_hop,
        ),
        trial(
            "changes::do_not_hide_which_address_is_sent_from",
            changes::do_not_hide_which_address_is_sent_from,
        ),
        trial(
            "changes::of_marks_are_made_in_one_step_and_undone",
            changes::of_marks_are_made_in_one_step_and_undone,
        ),
        trial("changes::of_virtual_functions_need_a_port", changes::of_virtual_functions_need_a_port),
        trial("namespaces::are_worked_in_from_outside", namespaces::are_worked_in_from_outside),
        trial("namespaces::that_are_none_are_refused", namespaces::that_are_none_are_refused),
        trial("addresses::that_nobody_has_are_handed_out", addresses::that_nobody_has_are_handed_out),
        trial("addresses::that_are_in_use_are_given_back", addresses::that_are_in_use_are_given_back),
        trial(
            "addresses::that_are_in_use_stay_where_the_agent_says_so",
            addresses::that_are_in_use_stay_where_the_agent_says_so,
        ),
        trial("addresses::whose_gateway_is_dead_are_refused", addresses::whose_gateway_is_dead_are_refused),
        trial(
            "addresses::whose_gateways_are_dead_in_any_family_are_refused",
            addresses::whose_gateways_are_dead_in_any_family_are_refused,
        ),
        trial(
            "addresses::of_a_gateway_that_answers_late_are_handed_out",
            addresses::of_a_gateway_that_answers_late_are_handed_out,
        ),
        trial(
            "addresses::without_an_interface_are_handed_out",
            addresses::without_an_interface_are_handed_out,
        ),
        trial("addresses::are_announced_to_everybody", addresses::are_announced_to_everybody),
    ];
    trials.extend(machine::trials());
    trials.extend(coordinator::trials());
    trials.extend(host_interfaces::trials());
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: &'static str, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || match namespace::enter() {
        Ok(()) => {
            test();
            Ok(Completion::Completed)
        }
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}
