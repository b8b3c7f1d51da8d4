//! Tells whoever edited the `ConfigMap` what became of it, in an Event.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource};

use super::supervise::timed;
use super::{ControllerError, Leader};
use crate::catalog::ConfigState;

/// Events hold at most 1 kB.
const LONGEST_NOTE: usize = 1000;

/// Follows the configuration until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let mut changes = leader.feed.changes.clone();
    let mut told = ConfigState::default();
    loop {
        changes.mark_unchanged();
        let state = leader.feed.catalog.load().config.clone();
        if let Some(event) = news(&told, &state) {
            timed(&leader.metrics, "configuration", tell(leader, &event)).await?;
        }
        told = state;
        // The sender lives as long as the process.
        let _ = changes.changed().await;
    }
}

/// A refusal is told each time its errors change, and the end of one once.
fn news(told: &ConfigState, state: &ConfigState) -> Option<Event> {
    if told.errors == state.errors {
        return None;
    }
    let (type_, reason, note) = if state.errors.is_empty() {
        (EventType::Normal, "ConfigurationAccepted", "the configuration is in force".to_owned())
    } else {
        let errors: Vec<String> = state.errors.iter().map(ToString::to_string).collect();
        let note = format!("the last good configuration stays in force: {}", errors.join("; "));
        (EventType::Warning, "ConfigurationRefused", shorten(note))
    };
    Some(Event { type_, reason: reason.into(), note: Some(note), action: "Reload".into(), secondary: None })
}

async fn tell(leader: &Leader, event: &Event) -> Result<(), ControllerError> {
    let config_maps: Api<ConfigMap> = Api::namespaced(leader.client.clone(), &leader.namespace);
    let config_map = config_maps.get_opt(&leader.config_map).await;
    let config_map = config_map.map_err(|source| ControllerError::request("read the ConfigMap", source))?;
    let Some(config_map) = config_map else { return Ok(()) };
    let published = leader.recorder.publish(event, &config_map.object_ref(&())).await;
    published.map_err(|source| ControllerError::request("write an Event", source))
}

pub(super) fn shorten(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE).rev().find(|index| note.is_char_boundary(*index)).unwrap_or_default();
        note.truncate(end);
        note.push_str("...");
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::settings::Settings;
    use crate::catalog::{Assembler, ConfigText, Identity};

    fn state(texts: &[&str]) -> ConfigState {
        let mut assembler = Assembler::new(Identity::default(), Settings::default());
        for text in texts {
            assembler.objects.config = ConfigText::Text((*text).to_owned());
            let _ = assembler.assemble();
        }
        assembler.assemble().config
    }

    #[test]
    fn refusals_and_their_end_are_told_once() {
        let good = state(&["enableIPv4: true\n"]);
        let bad = state(&["enableIPv4: true\n", "enableIPv4: maybe\n"]);
        assert!(news(&ConfigState::default(), &good).is_none());
        let refused = news(&good, &bad).unwrap();
        assert_eq!(refused.reason, "ConfigurationRefused");
        assert!(refused.note.unwrap().contains("enableIPv4"));
        assert!(news(&bad, &bad).is_none());
        assert_eq!(news(&bad, &good).unwrap().reason, "ConfigurationAccepted");
    }

    #[test]
    fn long_notes_are_cut_between_characters() {
        assert_eq!(shorten("short".into()), "short");
        let long = shorten("é".repeat(800));
        assert!(long.len() <= 1003 && long.ends_with("é..."));
    }
}
