//! What people read: denials and warnings. Each names the pod, the key and value, the reason, the next step.

use super::decide::PodRequest;
use super::decision::Denial;
use super::opt_in::OptIn;
use crate::api::keys;
use crate::catalog::{Catalog, Group, Member, Mode, natural_cmp};
use crate::reason::Reason;
use crate::rules::suggest::nearest_few;

/// How many names a message lists before it says how many more there are.
const LISTED: usize = 5;

pub(super) fn pod(request: &PodRequest<'_>) -> String {
    format!("pod {}/{}", request.namespace, request.pod.display_name())
}

fn denial(reason: Reason, request: &PodRequest<'_>, text: &str) -> Denial {
    Denial { reason, message: format!("{}: {text}", pod(request)) }
}

fn key_value(opt_in: &OptIn<'_>) -> String {
    format!("{} {}={:?}", opt_in.source.words(), opt_in.mode.key(), shorten(opt_in.value))
}

pub(super) fn empty_group(request: &PodRequest<'_>, opt_in: &OptIn<'_>) -> Denial {
    let text = format!(
        "{} names no group. Name the group whose networks the pod should get, or \"none\" for no injection. \
         Groups: {}",
        key_value(opt_in),
        "kubectl get spidermultusconfigs -A"
    );
    denial(Reason::EmptyGroup, request, &text)
}

pub(super) fn unknown_group(
    request: &PodRequest<'_>,
    opt_in: &OptIn<'_>,
    name: &str,
    catalog: &Catalog,
) -> Denial {
    let hint = if catalog.group(other(opt_in.mode), name).is_some() {
        format!("networks carry it under the key {}", other(opt_in.mode).key())
    } else {
        let near = nearest(name, opt_in.mode, request.namespace, catalog);
        if near.is_empty() {
            "no groups exist under this key".to_owned()
        } else {
            format!("nearest groups: {}", near.join(", "))
        }
    };
    let text = format!(
        "{} asks for group {:?}, to which no network belongs; {hint}. See: kubectl get spidermultusconfigs -A",
        key_value(opt_in),
        shorten(name)
    );
    denial(Reason::UnknownGroup, request, &text)
}

fn other(mode: Mode) -> Mode {
    match mode {
        Mode::Rdma => Mode::Network,
        Mode::Network => Mode::Rdma,
    }
}

/// Names of groups that the namespace may join: those that may have been meant, else all in order. Other
/// tenants' groups are not told.
fn nearest<'c>(name: &str, mode: Mode, namespace: &str, catalog: &'c Catalog) -> Vec<&'c str> {
    let joinable = |group: &Group| group.members.iter().any(|member| member.serves(namespace));
    let of_mode = catalog.groups().filter(|(of, _, group)| *of == mode && joinable(group));
    let mut names: Vec<&str> = of_mode.map(|(_, name, _)| name).collect();
    let near = nearest_few(name, names.iter().copied(), LISTED);
    if !near.is_empty() {
        return near;
    }
    names.sort_unstable_by(|a, b| natural_cmp(a, b));
    names.truncate(LISTED);
    names
}

pub(super) fn group_not_allowed(request: &PodRequest<'_>, opt_in: &OptIn<'_>, group: &Group) -> Denial {
    let text = format!(
        "{} asks for group {:?}, whose {} networks all live in namespaces that do not serve {}. Who runs the \
         cluster can list those namespaces in podResourceInject.networkNamespaces of the ConfigMap, or create \
         the networks in the pod's namespace. See: kubectl get spidermultusconfigs -A",
        key_value(opt_in),
        group.name,
        group.members.len(),
        request.namespace,
    );
    denial(Reason::GroupNotAllowed, request, &text)
}

pub(super) fn invalid_members<'a>(
    request: &PodRequest<'_>,
    opt_in: &OptIn<'_>,
    name: &str,
    members: impl Iterator<Item = (&'a Member, &'a str)>,
) -> Denial {
    let members: Vec<(&Member, &str)> = members.collect();
    let broken =
        members.iter().map(|(member, problem)| format!("{}/{} {problem}", member.namespace(), member.name()));
    let broken: Vec<String> = broken.collect();
    let first = members.first().map_or_else(String::new, |(member, _)| {
        format!(". See: kubectl -n {} get spidermultusconfig {} -o yaml", member.namespace(), member.name())
    });
    let text = format!(
        "{} asks for group {:?}, and not all its networks can serve it: {}{first}",
        key_value(opt_in),
        shorten(name),
        list(broken.iter().map(String::as_str)),
    );
    denial(Reason::InvalidMember, request, &text)
}

/// Completes the denial of a pod whose groups are right: who asks for rails, and where the pod is written.
pub(super) fn asked_for(mut denial: Denial, request: &PodRequest<'_>, opt_in: &OptIn<'_>) -> Denial {
    let owner = request.pod.metadata.owner_references.as_deref().and_then(<[_]>::first);
    let command = match owner {
        Some(owner) => {
            format!(
                "kubectl -n {} get {}/{} -o yaml",
                request.namespace,
                owner.kind.as_str(),
                owner.name.as_str()
            )
        }
        None => "railweave explain -f FILE".to_owned(),
    };
    denial.message =
        format!("{}; rails are asked for by {}. See: {command}", denial.message, key_value(opt_in));
    denial
}

pub(super) fn no_container(request: &PodRequest<'_>) -> Denial {
    denial(Reason::NoContainer, request, "spec.containers is empty, so nothing can hold the rails' devices")
}

pub(super) fn unknown_container(request: &PodRequest<'_>, wanted: &str) -> Denial {
    let names = request.pod.containers().iter().map(|container| container.name.as_str());
    let text = format!(
        "annotation {}={:?} names no regular container; the pod has: {}",
        keys::INJECT_CONTAINER,
        shorten(wanted),
        list(names)
    );
    denial(Reason::UnknownContainer, request, &text)
}

pub(super) fn invalid_quantity(
    request: &PodRequest<'_>,
    container: &str,
    resource: &str,
    value: &str,
) -> Denial {
    let text = format!(
        "container {container:?} asks for {:?} of {resource}, which is no whole number of devices; write one, or \
         leave the resource to the injection",
        shorten(value)
    );
    denial(Reason::InvalidQuantity, request, &text)
}

pub(super) fn conflicting_networks(request: &PodRequest<'_>, keys_in_the_way: &[&str]) -> Denial {
    let in_the_way = keys_in_the_way
        .iter()
        .map(|key| format!("{key}={:?}", shorten(request.pod.annotation(key).unwrap_or_default())));
    let in_the_way: Vec<String> = in_the_way.collect();
    let text = format!(
        "the pod asks for a group and also carries {}, which podResourceInject.conflicts=deny refuses; remove \
         one or the other",
        list(in_the_way.iter().map(String::as_str))
    );
    denial(Reason::ConflictingNetworks, request, &text)
}

pub(super) fn malformed_networks(request: &PodRequest<'_>, value: &str, why: &str) -> Denial {
    let text = format!("annotation {}={:?} cannot be merged: {why}", keys::NETWORKS, shorten(value));
    denial(Reason::MalformedNetworks, request, &text)
}

pub(super) fn skipped(reason: Reason, request: &PodRequest<'_>) -> String {
    let why = match reason {
        Reason::InjectionDisabled => {
            "injection is switched off (podResourceInject.enabled is false in the ConfigMap)".to_owned()
        }
        Reason::HostNetwork => "it uses the host's network, to which Multus attaches nothing".to_owned(),
        Reason::WindowsPod => "it runs on Windows nodes".to_owned(),
        Reason::MirrorPod => "it is the copy of a static pod".to_owned(),
        Reason::NamespaceExcluded => {
            format!(
                "namespace {} is excluded (podResourceInject.namespacesExclude, or a system namespace)",
                request.namespace
            )
        }
        Reason::NamespaceNotIncluded => {
            format!("namespace {} is not in podResourceInject.namespacesInclude", request.namespace)
        }
        _ => format!("namespace {} is railweave's own", request.namespace),
    };
    format!("{reason}: {} gets no rails although it asks for them: {why}", pod(request))
}

pub(super) fn replaced(key: &str, value: &str) -> String {
    format!("annotation {key}={:?} was removed: injection of a group replaces it", shorten(value))
}

pub(super) fn spans_namespaces(name: &str, namespaces: &[&str]) -> String {
    format!(
        "group {:?} has networks in several namespaces: {}",
        shorten(name),
        list(namespaces.iter().copied())
    )
}

pub(super) fn not_offered(resource: &str) -> String {
    format!("no node offers {resource} at present; the pod stays Pending until one does")
}

/// At most [`LISTED`] items, and how many there are beyond.
fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<&str> = items.collect();
    let shown = items.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if items.len() > LISTED { format!("{shown} and {} more", items.len() - LISTED) } else { shown }
}

fn shorten(value: &str) -> String {
    const LONGEST: usize = 80;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}
