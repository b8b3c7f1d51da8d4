use std::collections::BTreeSet;

use super::decision::{Decision, Denial, Outcome, Plan, Skip};
use super::networks::{self, Selected};
use super::opt_in::{OptIn, Source, opt_ins};
use super::pod_view::PodView;
use super::trace::Trace;
use super::{messages, quantity};
use crate::api::keys;
use crate::api::settings::Conflicts;
use crate::catalog::{Catalog, Group, Member, split_groups};
use crate::reason::Reason;

/// A pod that is about to be created.
#[derive(Clone, Debug)]
pub struct PodRequest<'a> {
    /// Namespace of the request; the pod's own may be absent.
    pub namespace: &'a str,
    /// The pod.
    pub pod: PodView<'a>,
}

/// Says what happens to the pod, and why.
///
/// No clock, no client, no lock: the same pod and catalog give the same outcome, in the server and offline.
pub fn decide<'c>(request: &PodRequest<'_>, catalog: &'c Catalog, trace: &mut impl Trace) -> Outcome<'c> {
    let mut warnings = Vec::new();
    let decision = match consider(request, catalog, &mut warnings, trace) {
        Ok(decision) => decision,
        Err(denial) => Decision::Deny(denial),
    };
    trace.step("decision", || match &decision {
        Decision::Skip(skip) => format!("{}: the pod stays as it is", skip.reason),
        Decision::Inject(plan) => format!("{}: {} networks", Reason::Injected, plan.rails),
        Decision::Deny(denial) => format!("{}: {}", denial.reason, denial.message),
    });
    Outcome { decision, warnings }
}

fn consider<'c>(
    request: &PodRequest<'_>,
    catalog: &'c Catalog,
    warnings: &mut Vec<String>,
    trace: &mut impl Trace,
) -> Result<Decision<'c>, Denial> {
    let pod = &request.pod;
    let found = opt_ins(pod, catalog.namespaces.get(request.namespace));
    for opt_in in found.iter().flatten() {
        trace
            .step("key", || format!("{} {} is {:?}", opt_in.source.words(), opt_in.mode.key(), opt_in.value));
    }
    let skip = |reason| Ok(Decision::Skip(Skip { reason }));
    if found.iter().all(Option::is_none) {
        trace
            .step("key", || format!("neither pod nor namespace {} carries an inject key", request.namespace));
        return skip(Reason::NotOptedIn);
    }
    let opted_in = || found.iter().flatten().filter(|opt_in| !opt_in.opts_out());
    let Some(first) = opted_in().next() else {
        return skip(Reason::OptedOut);
    };
    if let Some(reason) = exemption(request, catalog, trace) {
        if first.source != Source::Namespace {
            warnings.push(messages::skipped(reason, request));
        }
        return skip(reason);
    }
    let mut members = Vec::new();
    let mut injected = String::new();
    for opt_in in opted_in() {
        join_groups(request, opt_in, catalog, &mut members, &mut injected, warnings, trace)?;
    }
    if !members.is_sorted_by(|a, b| a.order(b).is_lt()) {
        members.sort_by(|a, b| a.order(b));
        members.dedup_by(|a, b| a.nad_name() == b.nad_name() && a.namespace() == b.namespace());
    }
    let plan = plan(request, catalog, members, injected, warnings, trace);
    plan.map(Decision::Inject).map_err(|denial| messages::asked_for(denial, request, first))
}

/// Why an opted-in pod is left alone all the same.
fn exemption(request: &PodRequest<'_>, catalog: &Catalog, trace: &mut impl Trace) -> Option<Reason> {
    let spec = &request.pod.spec;
    let selected_os = || spec.node_selector.as_ref()?.get("kubernetes.io/os");
    let os = spec.os.as_ref().map(|os| os.name.as_str()).or_else(selected_os);
    let reason = if !catalog.settings.inject.enabled {
        Some(Reason::InjectionDisabled)
    } else if request.pod.annotation(keys::MIRROR_POD).is_some() {
        Some(Reason::MirrorPod)
    } else if spec.host_network == Some(true) {
        Some(Reason::HostNetwork)
    } else if os == Some("windows") {
        Some(Reason::WindowsPod)
    } else {
        catalog.scope.refusal(request.namespace)
    };
    trace.step("exemption", || match reason {
        Some(reason) => format!("{reason} keeps the pod from being injected"),
        None => format!("none: injection is on, and namespace {} is injected", request.namespace),
    });
    reason
}

/// Adds the networks of every group that one key names.
fn join_groups<'c>(
    request: &PodRequest<'_>,
    opt_in: &OptIn<'_>,
    catalog: &'c Catalog,
    members: &mut Vec<&'c Member>,
    injected: &mut String,
    warnings: &mut Vec<String>,
    trace: &mut impl Trace,
) -> Result<(), Denial> {
    let mut names = split_groups(opt_in.value).peekable();
    if names.peek().is_none() {
        return Err(messages::empty_group(request, opt_in));
    }
    for name in names {
        let Some(group) = catalog.group(opt_in.mode, name) else {
            return Err(messages::unknown_group(request, opt_in, name, catalog));
        };
        let before = members.len();
        members.extend(
            group
                .members
                .iter()
                .map(|member| &**member)
                .filter(|member| member.shared || member.namespace() == &*request.namespace),
        );
        let joined = &members[before..];
        trace_group(group, joined, request, trace);
        if joined.is_empty() {
            return Err(messages::group_not_allowed(request, opt_in, group));
        }
        let mut broken =
            joined.iter().filter_map(|member| Some((*member, member.problem(opt_in.mode)?))).peekable();
        if broken.peek().is_some() {
            return Err(messages::invalid_members(request, opt_in, name, broken));
        }
        if joined.iter().any(|member| member.namespace() != joined[0].namespace()) {
            let namespaces: BTreeSet<&str> = joined.iter().map(|member| member.namespace()).collect();
            warnings.push(messages::spans_namespaces(name, &namespaces.into_iter().collect::<Vec<_>>()));
        }
        if !injected.is_empty() {
            injected.push(',');
        }
        injected.push_str(name);
    }
    Ok(())
}

fn trace_group(group: &Group, joined: &[&Member], request: &PodRequest<'_>, trace: &mut impl Trace) {
    for (index, member) in joined.iter().enumerate() {
        trace.step("member", || {
            let resource = member.resource().unwrap_or("no resource");
            format!(
                "{:?} rail {}: {}/{} ({resource})",
                group.name,
                index + 1,
                member.namespace(),
                member.nad_name()
            )
        });
    }
    for member in &group.members {
        if !joined.iter().any(|known| std::ptr::eq(*known, &raw const **member)) {
            trace.step("member", || {
                format!(
                    "{:?}: {}/{} is left out, its namespace does not serve {}",
                    group.name,
                    member.namespace(),
                    member.name(),
                    request.namespace
                )
            });
        }
    }
}

fn plan<'c>(
    request: &PodRequest<'_>,
    catalog: &'c Catalog,
    members: Vec<&'c Member>,
    mut injected: String,
    warnings: &mut Vec<String>,
    trace: &mut impl Trace,
) -> Result<Plan<'c>, Denial> {
    let (own, cleared) = resolve_conflicts(request, catalog, &members, warnings, trace)?;
    let (networks, rails) = networks::render(&own, &members);
    trace.step("networks", || format!("{}: {networks}", keys::NETWORKS));
    let resources = needed_resources(catalog, &own, &members);
    let container = target_container(request, resources.is_empty(), trace)?;
    let resources = missing_resources(request, container, resources, trace)?;
    if let Some(offered) = &catalog.offered {
        let unknown = resources.iter().filter(|(name, _)| !offered.contains(*name));
        warnings.extend(unknown.map(|(name, _)| messages::not_offered(name)));
    }
    injected.push('=');
    injected.push_str(&rails.to_string());
    Ok(Plan { members, networks, rails, injected, container, resources, cleared })
}

/// Annotations that injection removes, by key.
type Cleared = Vec<&'static str>;

/// What becomes of the networks and pools the pod names itself: the entries to keep, the keys to remove.
fn resolve_conflicts<'a>(
    request: &'a PodRequest<'_>,
    catalog: &Catalog,
    members: &[&Member],
    warnings: &mut Vec<String>,
    trace: &mut impl Trace,
) -> Result<(Vec<Selected<'a>>, Cleared), Denial> {
    let pod = &request.pod;
    let mode = catalog.settings.inject.conflicts;
    let annotation = pod.annotation(keys::NETWORKS).filter(|value| !value.trim().is_empty());
    let own = annotation.map(|value| networks::parse(value, request.namespace));
    // A pod that was injected before carries our own list, which is no conflict.
    let foreign = match &own {
        Some(Ok(own)) => !networks::same_set(own, members),
        Some(Err(_)) => true,
        None => false,
    };
    let pools: Cleared =
        keys::IPAM_POD_KEYS.into_iter().filter(|key| pod.annotation(key).is_some()).collect();
    if !foreign && pools.is_empty() && mode != Conflicts::Merge {
        return Ok((Vec::new(), Vec::new()));
    }
    if foreign || !pools.is_empty() {
        trace.step("conflicts", || {
            let what = if foreign { "the pod names networks itself" } else { "the pod names pools itself" };
            format!("{what}; podResourceInject.conflicts is {mode:?}")
        });
    }
    let value = annotation.unwrap_or_default();
    match (mode, own) {
        (Conflicts::Clear, _) => {
            if foreign {
                warnings.push(messages::replaced(keys::NETWORKS, value));
            }
            warnings.extend(
                pools.iter().map(|key| messages::replaced(key, pod.annotation(key).unwrap_or_default())),
            );
            Ok((Vec::new(), pools))
        }
        (Conflicts::Deny, _) => {
            let mut in_the_way = pools;
            in_the_way.extend(foreign.then_some(keys::NETWORKS));
            Err(messages::conflicting_networks(request, &in_the_way))
        }
        (Conflicts::Merge, Some(Err(why))) => Err(messages::malformed_networks(request, value, &why)),
        (Conflicts::Merge, Some(Ok(own))) => Ok((own, Vec::new())),
        (Conflicts::Merge, None) => Ok((Vec::new(), Vec::new())),
    }
}

/// Devices the pod needs in all: one for each network that uses the resource.
fn needed_resources<'c>(
    catalog: &'c Catalog,
    own: &[Selected<'_>],
    members: &[&'c Member],
) -> Vec<(&'c str, u64)> {
    let of_pod = own.iter().filter(|entry| !members.iter().any(|member| networks::is(entry, member)));
    let of_pod = of_pod.filter_map(|entry| catalog.resource_of_nad(&entry.namespace, &entry.name));
    let mut needed: Vec<(&str, u64)> = Vec::with_capacity(members.len());
    for resource in members.iter().filter_map(|member| member.resource()).chain(of_pod) {
        match needed.iter_mut().find(|(name, _)| *name == resource) {
            Some((_, count)) => *count += 1,
            None => needed.push((resource, 1)),
        }
    }
    needed
}

/// The container named by the pod, else the first regular one.
fn target_container(
    request: &PodRequest<'_>,
    nothing_needed: bool,
    trace: &mut impl Trace,
) -> Result<usize, Denial> {
    let containers = request.pod.containers();
    let index = match request.pod.annotation(keys::INJECT_CONTAINER) {
        Some(wanted) => containers
            .iter()
            .position(|container| container.name.as_str() == wanted.trim())
            .ok_or_else(|| messages::unknown_container(request, wanted))?,
        None if containers.is_empty() && !nothing_needed => return Err(messages::no_container(request)),
        None => 0,
    };
    trace.step("container", || {
        let name = containers.get(index).map_or("none", |container| container.name.as_str());
        format!("{name:?} gets the devices")
    });
    Ok(index)
}

/// What is missing after regular containers and native sidecars have had their say. A plain init container
/// does not count: its devices are handed on to the containers after it.
fn missing_resources<'c>(
    request: &PodRequest<'_>,
    target: usize,
    needed: Vec<(&'c str, u64)>,
    trace: &mut impl Trace,
) -> Result<Vec<(&'c str, u64)>, Denial> {
    let mut missing = Vec::with_capacity(needed.len());
    for (resource, count) in needed {
        let (mut asked, mut of_target) = (0_u64, 0_u64);
        let containers = request.pod.containers().iter().enumerate().map(|(index, c)| (index == target, c));
        for (is_target, container) in containers.chain(request.pod.sidecars().map(|sidecar| (false, sidecar)))
        {
            let Some(text) = container.asks(resource) else { continue };
            let Some(quantity) = quantity::parse(text) else {
                return Err(messages::invalid_quantity(request, container.name.as_str(), resource, text));
            };
            asked = asked.saturating_add(quantity);
            of_target += if is_target { quantity } else { 0 };
        }
        trace.step("resource", || format!("{resource}: {count} needed, {asked} asked for by the pod itself"));
        if count > asked {
            missing.push((resource, of_target.saturating_add(count - asked)));
        }
    }
    Ok(missing)
}
