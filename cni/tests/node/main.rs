//! Tests on a node with real virtual functions and RDMA devices, in the guest that `e2e/vm` makes.
//!
//! They take every port of the machine for themselves, so they run nowhere else: [`guest::here`] looks. The node is made
//! by `e2e/vm/guest/start.sh`; every test begins and ends with each function home, as [`home`] describes it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod agent;
mod containerd;
mod crowd;
mod disasters;
mod guest;
mod home;
mod library;
mod measure;
mod pod;
mod rails;
mod runtime;

use libtest_mimic::{Arguments, Completion, Trial};

macro_rules! trials {
    ($($file:ident :: $test:ident,)*) => {
        vec![$(trial(concat!(stringify!($file), "::", stringify!($test)), $file::$test)),*]
    };
}

fn main() {
    if std::env::var_os("RAILWEAVE_MEASURE").is_some() {
        return measure::run();
    }
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let trials = trials![
        library::ports_and_functions_are_found,
        library::settings_show_and_are_read_back,
        library::settings_that_the_port_lacks_are_refused,
        library::a_function_moves_and_comes_home,
        library::an_rdma_device_belongs_to_one_namespace,
        library::rdma_devices_are_all_listed_while_one_moves,
        library::two_pods_talk_over_rdma,
        rails::one_is_as_configured,
        rails::eight_answer_each_by_itself,
        rails::rdma_devices_are_in_their_pod_only,
        rails::two_pods_talk_over_every_rail,
        rails::vlans_keep_pods_apart,
        rails::what_the_port_refuses_leaves_no_trace,
        rails::status_tells_what_would_fail,
        rails::check_tells_what_has_changed,
        crowd::comes_and_goes_at_once,
        containerd::runs_pods_with_the_whole_chain,
        disasters::a_detach_needs_no_agent,
        disasters::a_detach_needs_no_namespace,
        disasters::a_detach_needs_nothing_but_the_record,
        disasters::an_old_detach_leaves_the_new_pod_alone,
        disasters::an_old_detach_may_race_a_new_attach,
        disasters::collection_spares_what_is_valid,
        disasters::a_pod_of_the_plugins_in_go_is_detached,
        disasters::a_hundred_kills_leave_nothing_that_collection_misses,
        disasters::functions_may_vanish_from_their_pods,
        disasters::functions_may_come_back_before_their_pod_is_detached,
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: &'static str, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Err(reason) = guest::here() {
            return Ok(Completion::ignored_with(reason));
        }
        home::tidy();
        test();
        home::expect_all();
        Ok(Completion::Completed)
    })
}
