use std::fmt;

/// How a field is wrong; the names are those of `metav1.CauseType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// Must be given.
    Required,
    /// Has a value that cannot be.
    Invalid,
    /// Has a value outside a fixed list.
    NotSupported,
    /// May not be given, or changed, here.
    Forbidden,
    /// Stands twice.
    Duplicate,
    /// Has the wrong JSON type.
    TypeInvalid,
}

impl FieldErrorKind {
    /// `reason` of the cause in a `Status`.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
        }
    }
}

/// One reason to refuse an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// How the field is wrong.
    pub kind: FieldErrorKind,
    /// Path from the object's root: `spec.ips[3]`.
    pub field: String,
    /// The value as written, shortened when long; none when absent.
    pub value: Option<String>,
    /// Why it is wrong and what to do, for people.
    pub detail: String,
}

impl FieldError {
    /// An error about a value as it stands.
    pub fn new(
        kind: FieldErrorKind,
        field: impl Into<String>,
        value: impl fmt::Display,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, field: field.into(), value: Some(shorten(&value.to_string())), detail: detail.into() }
    }

    /// `FieldErrorKind::Invalid` with the value.
    pub fn invalid(field: impl Into<String>, value: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Invalid, field, value, detail)
    }

    /// `FieldErrorKind::Required`.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind: FieldErrorKind::Required, field: field.into(), value: None, detail: detail.into() }
    }

    /// `FieldErrorKind::Forbidden`.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind: FieldErrorKind::Forbidden, field: field.into(), value: None, detail: detail.into() }
    }

    /// The text after the path, as the API server words such causes.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.value {
            Some(value) => format!("{}: {value:?}: {}", self.kind.words(), self.detail),
            None => format!("{}: {}", self.kind.words(), self.detail),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

/// Values in messages are kept readable; a 1 MiB value does not come back in an error.
fn shorten(value: &str) -> String {
    const LONGEST: usize = 120;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}

/// Whether strict configurations refuse what the notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// A deprecated or loose spelling was mended; refused when `admission.strict` is set.
    Mended,
    /// Something a person should know; never refused.
    Advice,
}

/// One thing a person should know; becomes an admission warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Mended spelling or advice.
    pub kind: NoticeKind,
    /// Path from the object's root.
    pub field: String,
    /// For people; a mended spelling names the old and the new place.
    pub message: String,
}

impl Notice {
    /// A deprecated or loose spelling that was mended.
    pub fn mended(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: NoticeKind::Mended, field: field.into(), message: message.into() }
    }

    /// Something to know.
    pub fn advice(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: NoticeKind::Advice, field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// All that validation has to say about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Reasons to refuse it.
    pub errors: Vec<FieldError>,
    /// Advice that does not.
    pub notices: Vec<Notice>,
}

/// What a strict configuration has against an object: each mended spelling is an error with the same text.
#[must_use]
pub fn strict_errors(notices: &[Notice]) -> Vec<FieldError> {
    let mended = notices.iter().filter(|notice| notice.kind == NoticeKind::Mended);
    mended.map(|notice| FieldError::forbidden(&notice.field, &notice.message)).collect()
}

/// Path of an annotation: `metadata.annotations[key]`.
pub(super) fn annotation(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

/// Path of a label: `metadata.labels[key]`.
pub(super) fn label(key: &str) -> String {
    format!("metadata.labels[{key}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_configurations_refuse_what_was_mended_and_nothing_else() {
        let notices = [
            Notice::mended("spec.a", "deprecated spelling of spec.b"),
            Notice::advice("spec.c", "there is no such pool"),
        ];
        let errors = strict_errors(&notices);
        assert_eq!(errors, [FieldError::forbidden("spec.a", "deprecated spelling of spec.b")]);
        assert_eq!(errors[0].to_string(), "spec.a: Forbidden: deprecated spelling of spec.b");
    }

    #[test]
    fn messages_are_worded_as_the_api_server_words_them() {
        let error = FieldError::invalid("spec.ips[0]", "x".repeat(200), "no range");
        let expected = format!("spec.ips[0]: Invalid value: \"{}...\": no range", "x".repeat(120));
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            FieldError::required("spec.subnet", "give one").to_string(),
            "spec.subnet: Required value: give one"
        );
    }
}
