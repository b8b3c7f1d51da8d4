//! Random reviews and manifests: whatever comes in, there is an answer, soon, and no panic.
//!
//! Each test runs for `RAILWEAVE_FUZZ_SECONDS` (default 2; `make test` gives 20, `make fuzz` more). A failure
//! prints the seed; `RAILWEAVE_FUZZ_SEED` with that number begins with the case that failed. Read [`random`]
//! first: it says how a case is made from a well-formed one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends at the first surprise, and says how many cases it saw"
)]

#[path = "../shared/files.rs"]
mod files;
mod manifests;
mod random;
mod reviews;
