use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::clock;

/// A file of log lines. When it is full it is put aside under its name and the time, and the oldest of those go.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    bytes: u64,
    age: Duration,
    files: u64,
    open: Option<File>,
}

impl LogFile {
    /// A log of at most this many bytes, with at most so many files put aside, none older than `age`.
    #[must_use]
    pub fn new(path: PathBuf, bytes: u64, age: Duration, files: u64) -> Self {
        Self { path, bytes, age, files, open: None }
    }

    /// Adds a line. Several processes may do so at once.
    pub fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => open(&self.path)?,
        };
        let size = file.metadata()?.len();
        if size > 0 && size + line.len() as u64 > self.bytes {
            self.put_aside(&file)?;
            file = open(&self.path)?;
        }
        file.write_all(line)?;
        self.open = Some(file);
        Ok(())
    }

    /// One of the processes that find the file full does it; it is theirs no more when the others get the lock.
    fn put_aside(&self, full: &File) -> io::Result<()> {
        full.lock()?;
        let here = fs::metadata(&self.path).map(|here| (here.dev(), here.ino())).ok();
        let metadata = full.metadata()?;
        if here == Some((metadata.dev(), metadata.ino())) {
            let (stem, extension) = self.name_parts();
            let name = format!("{stem}-{}{extension}", clock::now().replace(':', "-"));
            fs::rename(&self.path, self.path.with_file_name(name))?;
            self.remove_old();
        }
        full.unlock()
    }

    /// What cannot be removed now is removed at the next turn.
    fn remove_old(&self) {
        let Some(folder) = self.path.parent() else { return };
        let (stem, extension) = self.name_parts();
        let prefix = format!("{stem}-");
        let aside = |name: &str| {
            let time = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(&extension));
            time.is_some_and(|time| time.len() == "2026-11-22T06-04-40.123Z".len() && time.ends_with('Z'))
        };
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(aside))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort_by(|left, right| right.cmp(left));
        let now = SystemTime::now();
        for (position, (modified, path)) in files.into_iter().enumerate() {
            let old = now.duration_since(modified).is_ok_and(|age| age > self.age);
            if position as u64 >= self.files || old {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// `spiderpool` and `.log`
    fn name_parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let extension = self.path.extension().map(|extension| format!(".{}", text(Some(extension))));
        (text(self.path.file_stem()), extension.unwrap_or_default())
    }
}

/// The path comes from a network, so nothing is written through a link that somebody laid there.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            options.open(path)
        }
        opened => opened,
    }
}
