//! What the platform takes on disk, and whether there will be room for more.

use indicatif::BinaryBytes;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lake::LakeUrl;
use tokio::time::MissedTickBehavior;

use super::data_dir::DataDir;

/// How often a running platform measures.
const MEASURE_INTERVAL: Duration = Duration::from_secs(600);

/// Of the budget: more is worth a warning.
const USED_SHARE_WARNING: f64 = 0.8;
/// Of a disk: less free space is worth a warning, if it is also less than [`FREE_BYTES_WARNING`].
const FREE_SHARE_WARNING: f64 = 0.05;
/// A twentieth of a large disk is more than this, and weeks of data.
const FREE_BYTES_WARNING: u64 = 4 << 30;

/// What the platform takes, and the disks it is on.
#[derive(Debug)]
pub(crate) struct DiskUse {
    /// Bytes of topics, models and a local lake.
    used: u64,
    /// The data directory's disk.
    data: Disk,
    /// A local lake's, if that is another one.
    lake: Option<Disk>,
}

/// Where a folder is.
#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    free_bytes: u64,
    total_bytes: u64,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    DataDisk,
    LakeDisk,
    Budget,
}

type Warnings = BTreeMap<Concern, String>;

impl DiskUse {
    /// Measures a data directory and its lake. What cannot be read does not count.
    pub(crate) fn measure(data: &DataDir, lake: &str) -> Option<Self> {
        let root = fs::canonicalize(data.root()).ok()?;
        let url = LakeUrl::parse(lake).ok();
        let lake = url.as_ref().and_then(LakeUrl::folder);
        let lake = lake.and_then(|lake| fs::canonicalize(lake).ok());
        let used = match &lake {
            Some(lake) if root.starts_with(lake) => size(lake),
            Some(lake) if !lake.starts_with(&root) => size(&root) + size(lake),
            _ => size(&root),
        };
        // Also a lake below the data directory may be on another disk: mounted there.
        let lake = lake.filter(|lake| device(lake) != device(&root));
        Some(Self {
            used,
            data: Disk::of(root)?,
            lake: lake.and_then(Disk::of),
        })
    }

    /// What people should know before it is too late.
    pub(crate) fn warnings(&self, budget: Option<u64>) -> Warnings {
        let mut warnings = Warnings::new();
        if self.data.is_nearly_full() {
            let message = self.data.nearly_full("or shorten broker.retention");
            warnings.insert(Concern::DataDisk, message);
        }
        if let Some(lake) = &self.lake
            && lake.is_nearly_full()
        {
            let message = lake.nearly_full(
                "let `tables` in coinlake.yaml expire rows, or move old days of the lake elsewhere",
            );
            warnings.insert(Concern::LakeDisk, message);
        }
        if let Some(budget) = budget
            && self.used as f64 >= budget as f64 * USED_SHARE_WARNING
        {
            let message = format!(
                "topics, models and lake take {} of disk_budget {}: raise it, shorten broker.retention, or move old days of the \
                 lake elsewhere",
                BinaryBytes(self.used),
                BinaryBytes(budget)
            );
            warnings.insert(Concern::Budget, message);
        }
        warnings
    }

    /// Of the disk that has less.
    fn free_bytes(&self) -> u64 {
        let lake = self.lake.as_ref().map_or(u64::MAX, |disk| disk.free_bytes);
        self.data.free_bytes.min(lake)
    }
}

impl Disk {
    fn of(folder: PathBuf) -> Option<Self> {
        let disk = rustix::fs::statvfs(&folder).ok()?;
        Some(Self {
            folder,
            free_bytes: disk.f_bavail * disk.f_frsize,
            total_bytes: disk.f_blocks * disk.f_frsize,
        })
    }

    fn is_nearly_full(&self) -> bool {
        let enough = (self.total_bytes as f64 * FREE_SHARE_WARNING) as u64;
        self.free_bytes < enough.min(FREE_BYTES_WARNING)
    }

    fn nearly_full(&self, remedy: &str) -> String {
        format!(
            "the disk of {} is nearly full: {} of {} are free, and a full disk stops every stage; free some space, {remedy}",
            self.folder.display(),
            BinaryBytes(self.free_bytes),
            BinaryBytes(self.total_bytes)
        )
    }
}

/// As long as the platform runs: sets the gauges, and logs each warning when it begins.
pub(crate) async fn watch(data: DataDir, lake: String, budget: Option<u64>) {
    metrics::describe_gauge!(
        "coinlake_disk_used_bytes",
        "Topics, models and a local lake on disk"
    );
    metrics::describe_gauge!(
        "coinlake_disk_free_bytes",
        "Free space on the disk of the data directory, or of a local lake if that has less"
    );
    let mut timer = tokio::time::interval(MEASURE_INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let place = Arc::new((data, lake));
    let mut warned = Warnings::new();
    loop {
        timer.tick().await;
        let measured = Arc::clone(&place);
        let measure = move || DiskUse::measure(&measured.0, &measured.1);
        let Ok(Some(disk)) = tokio::task::spawn_blocking(measure).await else {
            continue;
        };
        metrics::gauge!("coinlake_disk_used_bytes").set(disk.used as f64);
        metrics::gauge!("coinlake_disk_free_bytes").set(disk.free_bytes() as f64);
        let warnings = disk.warnings(budget);
        for message in begun(&warned, &warnings) {
            tracing::warn!("{message}");
        }
        warned = warnings;
    }
}

/// The warnings about what was no concern before. Their figures change all the time.
fn begun<'a>(before: &Warnings, now: &'a Warnings) -> Vec<&'a str> {
    let new = now
        .iter()
        .filter(|(concern, _)| !before.contains_key(concern));
    new.map(|(_, message)| message.as_str()).collect()
}

/// The size of everything in a folder. A file that goes meanwhile does not count.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Tells disks apart.
fn device(folder: &Path) -> Option<u64> {
    Some(fs::metadata(folder).ok()?.dev())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn disk(folder: &str, free_gib: u64, total_gib: u64) -> Disk {
        Disk {
            folder: folder.into(),
            free_bytes: free_gib * GIB,
            total_bytes: total_gib * GIB,
        }
    }

    /// Of 5 GiB in use.
    fn warnings(data: Disk, lake: Option<Disk>, budget_gib: Option<u64>) -> Warnings {
        let used = 5 * GIB;
        DiskUse { used, data, lake }.warnings(budget_gib.map(|budget| budget * GIB))
    }

    #[test]
    fn a_warning_comes_before_the_budget_is_used() {
        let large = || disk("/data", 50, 100);
        assert_eq!(warnings(large(), None, None), Warnings::new());
        assert_eq!(warnings(large(), None, Some(7)), Warnings::new());
        let warnings = warnings(large(), None, Some(6));
        assert!(warnings[&Concern::Budget].contains("5.00 GiB of disk_budget 6.00 GiB"));
    }

    #[test]
    fn a_disk_is_nearly_full_by_its_share_and_by_its_bytes() {
        for (free_gib, total_gib, is_nearly_full) in [
            (4, 100, false),
            (3, 100, true),
            (2, 20, false),
            (1, 20, false),
            (0, 20, true),
            (1, 21, true),
        ] {
            let warnings = warnings(disk("/data", free_gib, total_gib), None, None);
            let warned = warnings.contains_key(&Concern::DataDisk);
            assert_eq!(warned, is_nearly_full, "{free_gib} of {total_gib}");
        }
    }

    #[test]
    fn each_disk_has_its_own_warning() {
        let lake = || Some(disk("/lake", 2, 20));
        let data_only = warnings(disk("/data", 3, 100), lake(), None);
        let expected = "the disk of /data is nearly full: 3.00 GiB of 100.00 GiB are free";
        assert!(data_only[&Concern::DataDisk].starts_with(expected));
        assert_eq!(data_only.len(), 1);
        let lake_only = warnings(disk("/data", 2, 20), Some(disk("/lake", 3, 100)), None);
        assert!(lake_only[&Concern::LakeDisk].starts_with("the disk of /lake is nearly full"));
        assert_eq!(lake_only.len(), 1);
    }

    #[test]
    fn a_warning_is_logged_once_also_when_another_one_ends() {
        let full = warnings(disk("/data", 3, 100), None, None);
        let fuller = warnings(disk("/data", 2, 100), None, None);
        let large = warnings(disk("/data", 50, 100), None, Some(6));
        assert_eq!(begun(&Warnings::new(), &full).len(), 1);
        assert!(begun(&full, &fuller).is_empty());
        assert_eq!(begun(&full, &large), [large[&Concern::Budget].as_str()]);
    }

    #[test]
    fn folders_count_once_with_what_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(&folder.path().join("data"));
        let lake = folder.path().join("lake");
        for (file, bytes) in [("data/broker/a", 10), ("data/lake/b/c", 20), ("lake/d", 30)] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![0; bytes]).unwrap();
        }
        let measure = |lake: &str| DiskUse::measure(&data, lake).unwrap();
        assert_eq!(measure(&data.lake(None)).used, 30);
        let beside = measure(lake.to_str().unwrap());
        assert_eq!(beside.used, 60);
        assert!(beside.lake.is_none(), "both are on one disk");
        let around = measure(folder.path().to_str().unwrap());
        assert_eq!(around.used, 60);
        assert_eq!(measure("s3://bucket/lake").used, 30);
    }
}
