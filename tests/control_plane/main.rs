//! Tests against a real etcd and kube-apiserver, with `railweave controller` running beside them.
//!
//! One file for each behaviour. What they share: [`cluster::Cluster`] is a control plane of its own for a test,
//! started by the scripts of `e2e/cluster`. Every test is skipped, with the reason, where the
//! control plane's binaries are not there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test says what it waits for, and ends at the first surprise"
)]

mod cluster;
mod control_plane;
mod crds;
mod documents;
mod schema_rules;

use std::future::Future;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no provider is installed yet");
    let mut arguments = Arguments::from_args();
    // Each test runs a control plane: more at once are slower on two cores, and time out.
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials()).exit();
}

/// Every test, under the name of its module and function.
macro_rules! trials {
    ($($module:ident::$test:ident),* $(,)?) => {
        vec![$(trial(concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
    };
}

fn trials() -> Vec<Trial> {
    trials![
        control_plane::serves_its_version_also_after_a_restart,
        crds::objects_of_spiderpool_are_accepted,
        crds::schemas_refuse_what_is_wrong_by_itself,
        schema_rules::every_case_is_decided_as_written,
        documents::of_operation_and_security_work,
        documents::of_an_earlier_installation_are_taken_over,
    ]
}

fn trial<F: Future<Output = ()> + 'static>(name: &'static str, test: fn() -> F) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(reason) = cluster::missing() {
            return Ok(Completion::ignored_with(reason));
        }
        eprintln!("{name}: begins");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test());
        Ok(Completion::Completed)
    })
}
