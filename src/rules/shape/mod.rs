//! Compares an object with the schema of its kind: fields of the wrong type, and fields nobody knows.

mod path;
mod schema;
mod sound;
#[cfg(test)]
mod tests;
mod unknown;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::suggest;
use super::{FieldError, FieldErrorKind};

pub use schema::prepare;
pub(super) use sound::Sound;
pub use unknown::unknown_fields;

/// A value in messages: text without quotes, the rest as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The type of a value, for messages.
pub(super) fn words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The detail of an error about a value outside a list.
pub(super) fn not_supported(value: &str, known: &[&str]) -> String {
    let hint = suggest::did_you_mean(value, known.iter().copied());
    format!("use one of {}{hint}", known.join(", "))
}

/// Reads `spec` of a sound object; what the schema lets pass and the type does not is an error.
pub(super) fn spec<T: DeserializeOwned + Default>(object: &Value) -> Result<T, FieldError> {
    let Some(spec) = object.get("spec").filter(|spec| !spec.is_null()) else {
        return Ok(T::default());
    };
    // Keeping track of the path costs more than reading; it is asked for when there is an error to place.
    T::deserialize(spec).or_else(|_| serde_path_to_error::deserialize(spec)).map_err(|error| {
        let field = format!("spec.{}", error.path());
        let pointer = format!("/spec/{}", error.path().to_string().replace(['.', '['], "/").replace(']', ""));
        FieldError {
            kind: FieldErrorKind::TypeInvalid,
            field,
            value: object.pointer(&pointer).map(plain),
            detail: error.into_inner().to_string(),
        }
    })
}
