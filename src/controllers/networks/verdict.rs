use crate::catalog::ObjectKey;
use crate::controllers::configuration::shorten;

/// What became of a network: its condition, and its Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether the definition is as it should be.
    pub(super) rendered: bool,
    /// `CamelCase`
    pub(super) reason: &'static str,
    /// For people.
    pub(super) message: String,
}

impl Verdict {
    pub(super) fn rendered(definition: &ObjectKey, complaints: Option<&String>) -> Self {
        let message = format!("is NetworkAttachmentDefinition {definition}");
        match complaints {
            None => Self { rendered: true, reason: "Rendered", message },
            Some(complaints) => Self {
                rendered: true,
                reason: "RenderedWithErrors",
                message: shorten(format!("{message}, but admission would refuse the network: {complaints}")),
            },
        }
    }

    pub(super) fn invalid(error: &str) -> Self {
        let message = format!("cannot be rendered; a definition of before stays as it is: {error}");
        Self { rendered: false, reason: "Invalid", message: shorten(message) }
    }

    pub(super) fn name_taken(definition: &ObjectKey, older: &ObjectKey) -> Self {
        let message = format!(
            "the older SpiderMultusConfig {} has the name {definition}, too; choose another one with the \
             annotation multus.spidernet.io/cr-name",
            older.name
        );
        Self { rendered: false, reason: "NameTaken", message }
    }

    pub(super) fn foreign(definition: &ObjectKey, holder: &str) -> Self {
        let message = format!(
            "NetworkAttachmentDefinition {definition} {holder} and is left as it is; delete it, take its owner \
             away and label it app.kubernetes.io/managed-by=railweave to have it taken over, or choose another \
             name with the annotation multus.spidernet.io/cr-name"
        );
        Self { rendered: false, reason: "NotOurs", message: shorten(message) }
    }

    pub(super) fn no_kind() -> Self {
        let message = "the cluster has no kind NetworkAttachmentDefinition; install Multus, or apply \
                       manifests/multus; this is noticed within seconds";
        Self { rendered: false, reason: "NoSuchKind", message: message.to_owned() }
    }

    pub(super) fn refused(definition: &ObjectKey, error: &str) -> Self {
        let message =
            format!("the API server refuses NetworkAttachmentDefinition {definition}: {error}; tried again");
        Self { rendered: false, reason: "Refused", message: shorten(message) }
    }
}
