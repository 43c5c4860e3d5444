//! Where `coinlake.yaml` is, and what the commands that look at a platform want of it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use connector_runtime::config::{ConfigError, YamlFile};

use super::file::Settings;
use crate::platform::NOTE;

/// The file's name; without `--config` it is looked for in the working directory.
pub(crate) const CONFIG_FILE: &str = "coinlake.yaml";

/// Where `up` has its data unless something else is set.
pub(crate) const DEFAULT_DATA_DIR: &str = "coinlake-data";

/// The data directory of a demo without `--data`; the next such demo deletes it first.
pub(crate) const DEMO_DATA_DIR: &str = "coinlake-demo";

/// The settings with the file that they come from.
#[derive(Default)]
pub(super) struct Found {
    pub(super) settings: Settings,
    /// `None`: there is no file.
    pub(super) file: Option<YamlFile>,
    /// The folder where relative paths of the file start; empty for the working directory.
    folder: PathBuf,
}

impl Found {
    /// The file at `config`, or the one in the working directory; without one, the defaults.
    ///
    /// # Errors
    /// When it cannot be read, or is not of the shape of [`Settings`].
    pub(super) fn read(config: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match config {
            Some(path) => path,
            None if Path::new(CONFIG_FILE).exists() => Path::new(CONFIG_FILE),
            None => return Ok(Self::default()),
        };
        let file = YamlFile::read(path)?;
        Ok(Self {
            settings: file.parse()?,
            file: Some(file),
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
        })
    }

    /// A path of the file, from the working directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The data directory.
    pub(super) fn data(&self) -> PathBuf {
        let data = self.settings.data.as_deref();
        self.path(data.unwrap_or(Path::new(DEFAULT_DATA_DIR)))
    }
}

/// The data directory of commands that look at a platform: the one of `up` or of a demo without `--data`, whichever started
/// last in the working directory. A file that cannot be read is `up`'s and `check`'s to explain.
pub(crate) fn default_data_dir() -> PathBuf {
    let data = Found::read(None).unwrap_or_default().data();
    let demo = PathBuf::from(DEMO_DATA_DIR);
    match started(&demo) > started(&data) {
        true => demo,
        false => data,
    }
}

/// When a platform last started on a data directory; `None`: never.
fn started(data: &Path) -> Option<SystemTime> {
    data.join(NOTE).metadata().ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_directory_has_started_when_its_note_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, never] =
            ["first", "second", "never"].map(|name| folder.path().join(name));
        for (data, secs) in [(&first, 1), (&second, 2)] {
            fs::create_dir(data).unwrap();
            let note = File::create(data.join(NOTE)).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            note.set_modified(time).unwrap();
        }
        assert!(started(&second) > started(&first));
        assert!(started(&first) > started(&never));
    }
}
