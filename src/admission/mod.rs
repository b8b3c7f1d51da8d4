//! Admission: what the API server is told about railweave, and the server that answers it.

pub mod registration;
