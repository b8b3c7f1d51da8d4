//! Tests against a real etcd and kube-apiserver, with `railweave controller` running beside them.
//!
//! One file for each behaviour. What they share: [`cluster::Cluster`] is a control plane of its own for a test,
//! started by the scripts of `e2e/cluster`; [`installation::Installation`] adds the custom resources, the
//! configuration and the controller's replicas behind one URL. Every test is skipped, with the reason, where the
//! control plane's binaries are not there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test says what it waits for, and ends at the first surprise"
)]

mod agent;
mod aliases;
mod allocation;
mod audit;
mod availability;
mod burst;
mod certificates;
mod chart;
#[path = "../shared/chart_flags.rs"]
mod chart_flags;
#[path = "../shared/cluster.rs"]
#[expect(dead_code, reason = "nodes with a kubelet are of tests/nodes")]
mod cluster;
mod control_plane;
mod crds;
mod device;
mod documents;
mod facts;
mod families;
#[path = "../shared/fences.rs"]
mod fences;
#[path = "../shared/files.rs"]
mod files;
mod foreign_trust;
mod injection;
#[path = "../shared/installation.rs"]
mod installation;
mod load;
mod measure;
mod measure_allocation;
mod measure_resync;
mod namespaces;
mod networks;
mod node_agent;
#[path = "../shared/objects.rs"]
mod objects;
mod overlaps;
mod plugin;
mod races;
mod registration;
mod reinvocation;
mod reload;
#[path = "../shared/replica.rs"]
mod replica;
#[path = "../shared/resources.rs"]
mod resources;
#[path = "../shared/schema_cases.rs"]
mod schema_cases;
mod schema_rules;
#[path = "../shared/service.rs"]
mod service;
mod silence;
mod storm;
mod subnets;
#[path = "../shared/sysfs_tree.rs"]
mod sysfs_tree;
mod takeover;

use std::future::Future;
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Arguments, Completion, Trial};

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no provider is installed yet");
    let mut arguments = Arguments::from_args();
    // Each test runs a control plane: more at once are slower on two cores, and time out.
    let (trials, at_once) =
        if std::env::var_os("RAILWEAVE_MEASURE").is_some() { (measurements(), 1) } else { (trials(), 2) };
    arguments.test_threads.get_or_insert(at_once);
    libtest_mimic::run(&arguments, trials).exit();
}

/// Every test, under the name of its module and function.
macro_rules! trials {
    ($($module:ident::$test:ident),* $(,)?) => {
        vec![$(trial(concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
    };
}

/// Measurements take minutes and mean nothing in a debug build; `make bench-cluster` asks for them.
fn measurements() -> Vec<Trial> {
    trials![
        measure::what_a_pod_costs_the_api_server,
        measure::a_replica_of_a_big_cluster,
        burst::of_400_and_1000_pods,
        measure_allocation::what_addresses_cost,
        measure_resync::of_a_leader_of_5000_nodes,
        agent::cost_of_attaching_without_the_leader,
    ]
}

fn trials() -> Vec<Trial> {
    trials![
        control_plane::serves_its_version_also_after_a_restart,
        crds::examples_are_canonical,
        crds::objects_of_spiderpool_are_accepted,
        crds::schemas_refuse_what_is_wrong_by_itself,
        schema_rules::every_case_is_decided_as_written,
        documents::of_the_readme_work,
        documents::of_operation_and_security_work,
        documents::of_removal_leave_nothing_behind,
        documents::of_an_earlier_installation_are_taken_over,
        chart::objects_pass_the_api_server_s_own_checks,
        registration::says_what_is_sent_and_what_is_not,
        registration::follows_the_guides_switch,
        aliases::of_the_guide_become_canonical,
        aliases::are_refused_in_strict_mode,
        injection::of_pods,
        injection::never_asks_about_plain_pods,
        injection::dry_run_leaves_no_trace,
        injection::of_a_deployment,
        namespaces::opt_in_for_their_pods,
        namespaces::have_no_gap_after_opting_in,
        networks::of_examples_and_guide_become_definitions,
        networks::are_kept_in_order,
        networks::share_no_name_and_overwrite_nothing_foreign,
        networks::survive_what_happens_around_them,
        networks::leave_the_kind_of_multus_as_it_is,
        reload::of_include_and_exclude_under_load,
        reload::keeps_the_last_good_configuration,
        certificates::rotate_under_load,
        certificates::of_the_registration_are_repaired,
        foreign_trust::cert_manager_s_bundle_is_left_to_it,
        foreign_trust::a_new_ca_of_one_s_own_goes_in_first,
        availability::of_one_replica_when_the_other_is_killed,
        availability::through_a_rolling_restart,
        availability::of_plain_pods_without_any_replica,
        availability::lets_nothing_slip_through_when_it_fails_open,
        availability::after_the_api_server_restarts,
        allocation::gives_all_rails_to_every_pod,
        allocation::gives_all_or_nothing,
        allocation::keeps_the_addresses_of_stateful_sets,
        allocation::survives_leaders_that_are_killed_or_stopped,
        agent::hands_out_what_the_leader_allocated,
        agent::allocates_without_the_leader,
        agent::races_with_the_leader,
        agent::survives_being_killed,
        storm::of_pods_while_leader_and_agents_are_killed,
        agent::gives_back_what_could_not_be_attached,
        device::decides_what_shows_at_attach_time,
        plugin::attaches_checks_and_detaches,
        plugin::gives_back_the_address_in_conflict_and_no_other,
        audit::mends_what_two_reads_prove,
        audit::a_record_alone_holds_the_address_while_its_node_is_away,
        overlaps::of_pools_that_nobody_saw_at_once_close_the_younger_one,
        races::of_pools_shrunk_disabled_and_deleted_in_use,
        races::of_ranges_that_change_while_pods_are_planned,
        races::of_names_that_come_back_at_once,
        races::of_a_node_that_does_not_answer,
        races::of_an_api_server_that_is_away_or_stalled,
        races::of_clocks_that_are_minutes_apart,
        silence::of_connections_costs_seconds_and_no_leadership,
        takeover::of_pods_that_go_before_their_addresses_are_written,
        takeover::of_names_of_a_stateful_set_that_come_back_elsewhere,
        takeover::of_two_leaders_for_a_moment,
        takeover::of_records_that_somebody_wrote_over,
        takeover::of_endpoints_that_no_pool_knows_of,
        families::follow_the_node_s_ports_and_go_together,
        subnets::share_addresses_out_and_take_their_pools_along,
        subnets::are_not_needed_for_the_cluster_s_cidrs,
        reinvocation::mends_what_a_later_webhook_does,
        facts::are_published_and_stay_right,
        facts::are_published_by_the_agent_of_a_node,
        burst::of_400_and_1000_pods,
    ]
}

/// Held for reading by tests that run beside others, for writing by those that need the machine to themselves.
static MACHINE: RwLock<()> = RwLock::new(());

fn trial<F: Future<Output = ()> + 'static>(name: &'static str, test: fn() -> F) -> Trial {
    Trial::ignorable_test(name, move || {
        let more = || match name.split_once("::")?.0 {
            "facts" => facts::missing(),
            "device" => device::missing(),
            _ => None,
        };
        if let Some(reason) = cluster::missing().or_else(more) {
            return Ok(Completion::ignored_with(reason));
        }
        // A test that panicked has nothing to do with the next one.
        let (_alone, _beside);
        if name.starts_with("burst::") {
            _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        } else {
            _beside = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        }
        eprintln!("{name}: begins");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test());
        Ok(Completion::Completed)
    })
}
