//! Puts the plugins into a plugin folder and takes them out again, while runtimes call them.
//!
//! Every name in the folder is one file, hard-linked, and each is replaced by a rename: whoever starts a plugin meanwhile
//! gets the old program or the new one, whole. What was there before is kept as `NAME.old` and comes back with
//! [`uninstall`]. Files are known to be ours by their content, so a folder stays right through upgrades, interrupted
//! installations and other installers. Called by `main` alone.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// In every version of this program, and in no other.
#[used]
static MARK: [u8; 45] = *b"railweave-cni:multi-call-binary:5f0c2d7e9b41a";

/// A step that failed; the folder is as it was, or some names are done and doing it again does the rest.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {}", path.display())]
pub struct InstallError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What became of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Installed,
    /// It replaced a file of others, which is kept.
    Kept,
    /// It replaced an earlier one of ours.
    Replaced,
    /// Taken away.
    Removed,
    /// Taken away, and what had been there before is back.
    Restored,
    /// Not ours, or not there: nothing was done.
    LeftAlone,
}

/// Puts `program` into `folder` under each of the names.
pub fn install(
    program: &Path,
    folder: &Path,
    names: &[&'static str],
) -> Result<Vec<(&'static str, Outcome)>, InstallError> {
    let copy = folder.join(format!(".railweave-cni.{}", std::process::id()));
    let installed = copied(program, &copy).and_then(|()| {
        let install = |name: &&'static str| Ok((*name, install_one(&copy, folder, name)?));
        names.iter().map(install).collect::<Result<Vec<_>, InstallError>>()
    });
    // It was the first of the links, and is none of the names.
    let removed = during("remove", &copy, unless_gone(fs::remove_file(&copy)));
    let installed = installed?;
    removed?;
    synced(folder)?;
    Ok(installed)
}

/// Takes ours out of `folder`, and puts back what had been there.
pub fn uninstall(
    folder: &Path,
    names: &[&'static str],
) -> Result<Vec<(&'static str, Outcome)>, InstallError> {
    let uninstall = |name: &&'static str| Ok((*name, uninstall_one(folder, name)?));
    let outcomes = names.iter().map(uninstall).collect::<Result<Vec<_>, InstallError>>()?;
    synced(folder)?;
    Ok(outcomes)
}

fn install_one(copy: &Path, folder: &Path, name: &str) -> Result<Outcome, InstallError> {
    let (path, old) = (folder.join(name), folder.join(format!("{name}.old")));
    let outcome = match whose(&path)? {
        None => Outcome::Installed,
        Some(Owner::Us) => Outcome::Replaced,
        Some(Owner::Others) => {
            // Not renamed: the name would be without a program for a moment.
            linked(&path, &old)?;
            Outcome::Kept
        }
    };
    linked(copy, &path)?;
    Ok(outcome)
}

fn uninstall_one(folder: &Path, name: &str) -> Result<Outcome, InstallError> {
    let (path, old) = (folder.join(name), folder.join(format!("{name}.old")));
    if whose(&path)? != Some(Owner::Us) {
        return Ok(Outcome::LeftAlone);
    }
    if whose(&old)?.is_some() {
        during("put back", &path, fs::rename(&old, &path))?;
        return Ok(Outcome::Restored);
    }
    during("remove", &path, fs::remove_file(&path))?;
    Ok(Outcome::Removed)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Us,
    Others,
}

/// None if there is nothing.
fn whose(path: &Path) -> Result<Option<Owner>, InstallError> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => during("look at", path, metadata)?,
    };
    if !metadata.is_file() {
        return Ok(Some(Owner::Others));
    }
    let bytes = during("read", path, fs::read(path))?;
    let marked = bytes.windows(MARK.len()).any(|window| window[0] == MARK[0] && window == MARK);
    Ok(Some(if marked { Owner::Us } else { Owner::Others }))
}

fn copied(program: &Path, copy: &Path) -> Result<(), InstallError> {
    let bytes = during("read", program, fs::read(program))?;
    let write = || {
        let mut file = File::create(copy)?;
        file.write_all(&bytes)?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.sync_all()
    };
    during("write", copy, write())
}

/// Gives a file a second name in place of what has it now, in one step.
fn linked(file: &Path, name: &Path) -> Result<(), InstallError> {
    let mut temporary = name.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    during("remove", &temporary, unless_gone(fs::remove_file(&temporary)))?;
    during("write", &temporary, fs::hard_link(file, &temporary))?;
    during("put in place", name, fs::rename(&temporary, name))?;
    // A rename does nothing where both are the same file.
    during("remove", &temporary, unless_gone(fs::remove_file(&temporary)))
}

/// Names last through a power failure as well.
fn synced(folder: &Path) -> Result<(), InstallError> {
    during("write", folder, File::open(folder).and_then(|folder| folder.sync_all()))
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn during<T>(doing: &'static str, path: &Path, done: io::Result<T>) -> Result<T, InstallError> {
    done.map_err(|source| InstallError { doing, path: path.to_owned(), source })
}
