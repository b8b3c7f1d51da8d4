//! JSON by hand, where the request path would spend more on it than on the decision itself.
//!
//! [`read`] decodes into any type that serde derives, as `serde_json::from_slice` does, but passes over what the type
//! does not ask for without taking it apart ([`skip`]): nine tenths of a review are such fields. [`write`] writes
//! strings straight into the buffer that is sent. Everything else in the project uses `serde_json`.

mod read;
mod skip;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use read::from_slice;
pub(crate) use write::{pointer_token, string};
