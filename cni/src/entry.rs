//! The way in: the function that the C library starts. In most Rust programs it belongs to Rust's runtime.
//!
//! That runtime prepares for what a plugin does not need before it has read its call: reports of stack overflows, a name of
//! the main thread, a buffer for standard output. All of this touches pages, and a page costs the kernel more than anything else
//! in a VERSION. What matters for the other commands is done by [`prepare`]. Called by nobody else than `main.rs`.
#![expect(
    unsafe_code,
    reason = "arguments, environment and descriptors come from the C library as pointers and numbers"
)]

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _};
use std::os::unix::ffi::OsStrExt as _;

#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    let words = (0..usize::try_from(count).unwrap_or_default()).map(|number| {
        // SAFETY: C promises `count` pointers to texts that end with a zero and stay until the process ends.
        let word: &'static CStr = unsafe { CStr::from_ptr(*words.add(number)) };
        OsStr::from_bytes(word.to_bytes())
    });
    c_int::from(crate::run(words))
}

/// A variable of the environment, without a copy of it.
pub(crate) fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: nothing in this program changes the environment, so the text stays until the process ends.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

/// Writes to standard output, at once and whole.
pub(crate) fn print(text: &str) -> io::Result<()> {
    // SAFETY: the descriptor is the process's from its start to its end, and is not closed here.
    let mut output = ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDOUT_FILENO) });
    output.write_all(text.as_bytes())
}

/// What Rust's runtime does for every program and ours needs: a peer that went away is an error of the write, and no signal
/// that ends the process in the middle of an ADD; and no socket gets the number of a standard stream that the caller closed.
pub(crate) fn prepare() {
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // The kernel gives the lowest number that is free, and these stay open.
    while let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null")
        && null.as_raw_fd() <= libc::STDERR_FILENO
    {
        let _ = null.into_raw_fd();
    }
}
