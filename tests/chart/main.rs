//! The Helm chart, rendered by the real helm: what a cluster would get, and what must never be in it.
//!
//! Read [`helm::Helm`] first: it renders, and picks objects out of the render. Tests that need helm are skipped,
//! with the reason, where there is none.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at the first surprise"
)]

mod agent;
#[path = "../shared/chart_flags.rs"]
mod chart_flags;
mod crds;
mod documents;
mod guide;
mod helm;
mod hygiene;
mod monitoring;
mod rbac;
mod values;
mod workload;

use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Trial};

use helm::Helm;

/// Trials named after their functions.
macro_rules! trials {
    ($make:expr; $($module:ident::$test:ident),* $(,)?) => {
        vec![$($make(concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*]
    };
}

fn main() {
    let helm = Helm::find().map(Arc::new);
    let rendered = |name: &'static str, test: fn(&Helm)| {
        let helm = helm.clone();
        Trial::ignorable_test(name, move || match helm {
            Some(helm) => {
                test(&helm);
                Ok(Completion::Completed)
            }
            None => Ok(Completion::ignored_with("helm is not there: set HELM, or run `make e2e-tools`")),
        })
    };
    let files = |name: &'static str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let mut trials = trials![rendered;
        crds::each_is_rendered_as_generated_but_for_the_policy_that_keeps_it,
        crds::they_can_be_left_to_someone_else,
        crds::the_kind_of_multus_is_installed_only_where_it_is_absent,
        crds::helm_can_take_ownership,
        documents::every_values_file_renders,
        documents::the_values_for_monitoring_add_what_they_say,
        monitoring::the_operators_objects_hold_the_files_as_they_are,
        guide::a_flag_without_its_component_is_named_in_the_notes,
        guide::the_plugin_for_infiniband_is_installed_with_the_others,
        guide::a_flag_without_its_component_changes_no_object,
        guide::the_registry_of_the_guide_stands_before_the_image,
        guide::the_notes_tell_how_to_switch_injection_on_until_it_is_on,
        guide::helm_refuses_a_flag_without_a_value,
        hygiene::two_renders_are_byte_equal,
        hygiene::registration_and_keys_belong_to_the_process,
        hygiene::switching_injection_on_changes_the_config_map_alone,
        hygiene::helm_lint_has_no_complaint,
        rbac::the_rights_are_those_of_the_snapshot,
        rbac::certificates_from_outside_need_no_right_to_secrets,
        workload::the_process_is_told_its_names,
        rbac::the_program_prints_the_same_rights,
        workload::the_program_takes_every_argument,
        rbac::no_right_is_wider_than_its_use,
        rbac::an_agent_deletes_nothing_and_reads_no_secret,
        values::typos_are_refused_by_name,
        values::the_default_configuration_is_the_programs_own_default,
        values::every_setting_reaches_the_program,
        values::pools_for_applications_are_passed_on,
        workload::objects_are_named_by_the_release,
        workload::the_pod_runs_with_the_least_it_needs,
        workload::two_replicas_survive_drains_and_roll_outs,
        workload::no_annotation_restarts_the_pods,
        workload::the_service_leads_to_the_webhook_port,
        workload::probes_ask_the_admin_port,
        workload::values_ha_never_put_two_replicas_on_one_node,
        workload::with_the_hosts_network_a_roll_out_needs_no_free_node,
        workload::the_network_policy_opens_the_two_ports_and_nothing_else,
        workload::a_certificate_from_outside_is_mounted_and_the_chart_holds_no_key,
        workload::cert_manager_signs_for_the_name_the_api_server_calls,
        agent::it_has_privileges_only_to_set_what_belongs_to_the_host,
        agent::it_runs_on_every_node_and_is_never_slowed_down,
        agent::the_plugins_find_its_socket_on_the_host,
        agent::it_finds_the_kubelet_s_folder,
        agent::the_program_takes_every_argument,
        agent::its_init_container_puts_the_plugins_where_the_runtime_looks,
        agent::the_plugins_can_be_left_to_others,
        agent::its_metrics_are_found_where_that_is_asked_for,
        agent::it_can_be_left_to_another_program,
    ];
    trials.extend(trials![files;
        crds::the_chart_carries_the_generated_files_unchanged,
        monitoring::every_metric_is_documented,
        monitoring::every_selector_is_one_that_the_metric_has,
        monitoring::every_reason_is_a_reason,
        monitoring::agents_are_not_counted_as_replicas,
        monitoring::every_alert_has_a_runbook_and_every_runbook_an_alert,
        values::schema_and_values_list_the_same_names,
    ]);
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
