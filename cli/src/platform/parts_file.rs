//! What the parts of a running `up` say about themselves: a file in its data directory, which `coinlake health` reads. A
//! survey from outside cannot see it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use connector_runtime::process::monitor::{Monitor, PartReport};
use tokio_util::task::AbortOnDropHandle;

pub(super) const PARTS_FILE: &str = "parts.json";
pub(super) const PARTIAL_PARTS_FILE: &str = "parts.json.partial";
const WRITE_INTERVAL: Duration = Duration::from_secs(5);
/// An older file is of a process that was killed, or that cannot write.
const AGE_MAX: Duration = Duration::from_secs(30);

/// Keeps the file up to date until dropped, which deletes it.
pub(crate) struct PartsFile {
    path: PathBuf,
    _task: AbortOnDropHandle<()>,
}

impl PartsFile {
    /// Starts to write what the parts of `monitor` say into the data directory `data`.
    pub(crate) fn start(monitor: Arc<Monitor>, data: &Path) -> Self {
        let data = data.to_owned();
        let path = data.join(PARTS_FILE);
        let task = tokio::spawn(async move {
            let mut timer = tokio::time::interval(WRITE_INTERVAL);
            let mut failed = false;
            loop {
                timer.tick().await;
                let written = write(&data, &monitor.reports());
                if let (Err(error), false) = (&written, failed) {
                    tracing::warn!(
                        "what the parts say cannot be told to `coinlake health`: {error:#}"
                    );
                }
                failed = written.is_err();
            }
        });
        Self {
            path,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What the parts of the process that runs on the data directory `data` say; nothing where none runs.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(data: &Path, is_running: bool) -> Result<Vec<PartReport>> {
        let path = data.join(PARTS_FILE);
        let read = || -> std::io::Result<_> {
            let age = SystemTime::now().duration_since(fs::metadata(&path)?.modified()?);
            Ok((age.unwrap_or_default(), fs::read(&path)?))
        };
        let unreadable = || format!("{} cannot be read", path.display());
        match read() {
            Ok((age, text)) if age <= AGE_MAX => {
                serde_json::from_slice(&text).with_context(unreadable)
            }
            Ok((age, _)) if is_running => Ok(vec![PartReport {
                name: "parts".to_owned(),
                problem: Some(format!(
                    "what they say is {} s old: it cannot be written to {}; is the disk full?",
                    age.as_secs(),
                    path.display()
                )),
                notes: Vec::new(),
            }]),
            Ok(_) => Ok(Vec::new()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(unreadable),
        }
    }
}

impl Drop for PartsFile {
    fn drop(&mut self) {
        // If it stays, it is soon too old to be believed.
        let _ = fs::remove_file(&self.path);
    }
}

fn write(data: &Path, reports: &[PartReport]) -> Result<()> {
    let text =
        serde_json::to_vec(reports).context("the parts' reports cannot be written as JSON")?;
    // Renamed into place: a reader finds all of it.
    let partial = data.join(PARTIAL_PARTS_FILE);
    fs::write(&partial, text).with_context(|| format!("cannot write {}", partial.display()))?;
    let path = data.join(PARTS_FILE);
    fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_where_nothing_runs() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(PartsFile::read(data, false).unwrap(), []);
        let reports = [PartReport {
            name: "coingecko-source".to_owned(),
            problem: Some("no poll has brought a reply yet".to_owned()),
            notes: vec!["this machine's clock is wrong".to_owned()],
        }];
        write(data, &reports).unwrap();
        assert_eq!(PartsFile::read(data, true).unwrap(), reports);
        let path = data.join(PARTS_FILE);
        let minute_ago = SystemTime::now() - Duration::from_secs(60);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(minute_ago).unwrap();
        assert_eq!(
            PartsFile::read(data, false).unwrap(),
            [],
            "of a killed process"
        );
        let said = PartsFile::read(data, true).unwrap();
        let problem = said[0].problem.as_deref().unwrap();
        assert!(problem.contains("is the disk full?"), "{problem}");
        fs::write(path, "[").unwrap();
        assert!(PartsFile::read(data, true).is_err());
    }
}
