//! The command line as people use it: the built binary, real files, exit codes, both output streams.

mod demo;
mod explain;
mod fix;
mod inject;
mod reference;
mod review;
mod serve;
mod support;
mod validate;
