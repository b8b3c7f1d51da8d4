//! Tests on a node with real virtual functions and RDMA devices, in the guest that `e2e/vm` makes.
//!
//! They take every port of the machine for themselves, so they run nowhere else: [`guest::here`] looks. The node is made
//! by `e2e/vm/guest/start.sh`; every test begins and ends with each function home, as [`home`] describes it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod guest;
mod home;
mod library;
mod pod;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let trials = vec![
        trial("library::ports_and_functions_are_found", library::ports_and_functions_are_found),
        trial("library::settings_show_and_are_read_back", library::settings_show_and_are_read_back),
        trial(
            "library::settings_that_the_port_lacks_are_refused",
            library::settings_that_the_port_lacks_are_refused,
        ),
        trial("library::a_function_moves_and_comes_home", library::a_function_moves_and_comes_home),
        trial(
            "library::an_rdma_device_belongs_to_one_namespace",
            library::an_rdma_device_belongs_to_one_namespace,
        ),
        trial("library::two_pods_talk_over_rdma", library::two_pods_talk_over_rdma),
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
