//! What the program does for a person who calls it by its own name.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use railweave_cni::install::{self, InstallError, Outcome};
use railweave_cni::plugins::PLUGINS;
use railweave_cni::spec::{CniError, Version};

/// The program's own name in a plugin folder, so that `uninstall` is at hand.
const OWN_NAME: &str = "railweave-cni";

const HELP: &str = "\
The CNI plugins of railweave in one file: it is the plugin that it is called as.

  railweave-cni install --dir DIR     put the plugins into DIR; what they replace is kept as NAME.old
  railweave-cni uninstall --dir DIR   take them out again, and put NAME.old back
  railweave-cni version               versions of the program and of the CNI specification, names of plugins
  railweave-cni help                  this text

As a plugin it is called by a container runtime, with CNI_COMMAND in its environment and a network
configuration on standard input. To try one: CNI_COMMAND=VERSION DIR/sriov </dev/null
";

/// What is to be printed, or why nothing was done.
pub(crate) fn run(arguments: &[&OsStr]) -> Result<String, String> {
    let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    match words.as_slice() {
        ["install", rest @ ..] => {
            let program =
                std::env::current_exe().map_err(|error| format!("failed to find this program: {error}"))?;
            in_folder("install", rest, &arguments[1..], |folder| install::install(&program, folder, &names()))
        }
        ["uninstall", rest @ ..] => {
            in_folder("uninstall", rest, &arguments[1..], |folder| install::uninstall(folder, &names()))
        }
        ["version" | "--version" | "-V"] => Ok(version()),
        [] | ["help" | "--help" | "-h"] => Ok(HELP.to_owned()),
        [word, ..] => Err(format!("{word:?} is unknown here; `railweave-cni help` lists what there is")),
    }
}

fn names() -> Vec<&'static str> {
    PLUGINS.iter().map(|plugin| plugin.name).chain([OWN_NAME]).collect()
}

fn version() -> String {
    let specification = Version::ALL.map(Version::as_str).join(", ");
    let plugins: Vec<&str> = PLUGINS.iter().map(|plugin| plugin.name).collect();
    format!(
        "railweave-cni {}\nCNI specification {specification}\nplugins {}\n",
        env!("CARGO_PKG_VERSION"),
        plugins.join(", ")
    )
}

type Outcomes = Vec<(&'static str, Outcome)>;

fn in_folder(
    verb: &str,
    words: &[&str],
    arguments: &[&OsStr],
    act: impl FnOnce(&Path) -> Result<Outcomes, InstallError>,
) -> Result<String, String> {
    let folder: PathBuf = match (words, arguments) {
        (["--dir", _], [_, folder]) => folder.into(),
        ([word], _) if word.starts_with("--dir=") => OsStr::new(&word["--dir=".len()..]).into(),
        _ => return Err(format!("write railweave-cni {verb} --dir DIR, as /opt/cni/bin")),
    };
    let outcomes = act(&folder).map_err(|error| CniError::of(CniError::IO, &error).msg)?;
    Ok(outcomes.iter().fold(String::new(), |mut text, (name, outcome)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {}", folder.join(name).display(), told(*outcome));
        text
    }))
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Installed => "installed",
        Outcome::Kept => "installed; the file that was there is kept with .old at its end",
        Outcome::Replaced => "replaced by this version",
        Outcome::Removed => "removed",
        Outcome::Restored => "removed; the file that was there before is back",
        Outcome::LeftAlone => "left alone: it is not there, or not ours",
    }
}
