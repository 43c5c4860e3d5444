//! What the platform takes on disk, and whether there will be room for more.

use indicatif::BinaryBytes;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lake::LakeUrl;
use tokio::time::MissedTickBehavior;

use super::data_dir::DataDir;

/// How often a running platform measures.
const MEASURE_INTERVAL: Duration = Duration::from_secs(600);

/// The share of the budget from which on people are warned.
const BUDGET_WARNING: f64 = 0.8;
/// A disk with less free space than this share of it is nearly full,
const FREE_SHARE_WARNING: f64 = 0.05;
/// if it is also less than this many bytes: a twentieth of a large disk is weeks of data.
const FREE_BYTES_WARNING: u64 = 4 << 30;

/// In bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskUse {
    /// Topics, models and a local lake.
    used: u64,
    /// Free on the fuller one of the disks of data directory and lake.
    free: u64,
    /// The size of that disk.
    total: u64,
}

impl DiskUse {
    /// Measures a data directory and its lake. What cannot be looked at does not count.
    pub(crate) fn measure(data: &DataDir, lake: &str) -> Option<Self> {
        let root = fs::canonicalize(data.root()).ok()?;
        let url = LakeUrl::parse(lake).ok();
        let lake = url.as_ref().and_then(LakeUrl::folder);
        let mut used = size(&root);
        let (mut free, mut total) = space(&root)?;
        // Linked or mounted below the data directory it is a disk of its own, too.
        if let Some(lake) = lake.and_then(|lake| fs::canonicalize(lake).ok()) {
            if !lake.starts_with(&root) {
                used += size(&lake);
            }
            if let Some(other) = space(&lake)
                && other.0 < free
            {
                (free, total) = other;
            }
        }
        Some(Self { used, free, total })
    }

    /// What people should know before it is too late.
    pub(crate) fn warnings(&self, budget: Option<u64>) -> Vec<String> {
        let bytes = |bytes: u64| BinaryBytes(bytes).to_string();
        let mut warnings = Vec::new();
        let enough = (self.total as f64 * FREE_SHARE_WARNING) as u64;
        if self.free < enough.min(FREE_BYTES_WARNING) {
            warnings.push(format!(
                "the disk is nearly full: {} of {} are free, and a full disk stops every stage; free some space, or shorten \
                 broker.retention",
                bytes(self.free),
                bytes(self.total)
            ));
        }
        if let Some(budget) = budget
            && self.used as f64 >= budget as f64 * BUDGET_WARNING
        {
            warnings.push(format!(
                "topics, models and lake take {} of disk_budget {}: raise it, shorten broker.retention, or move old days of the \
                 lake elsewhere",
                bytes(self.used),
                bytes(budget)
            ));
        }
        warnings
    }
}

/// Logs a warning when one begins, and counts, as long as the platform runs.
pub(crate) async fn watch(data: DataDir, lake: String, budget: Option<u64>) {
    metrics::describe_gauge!(
        "coinlake_disk_used_bytes",
        "Topics, models and a local lake on disk"
    );
    metrics::describe_gauge!("coinlake_disk_free_bytes", "Free space on that disk");
    let mut timer = tokio::time::interval(MEASURE_INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let place = Arc::new((data, lake));
    let mut warned = 0;
    loop {
        timer.tick().await;
        let measured = Arc::clone(&place);
        let measure = move || DiskUse::measure(&measured.0, &measured.1);
        let Ok(Some(disk)) = tokio::task::spawn_blocking(measure).await else {
            continue;
        };
        metrics::gauge!("coinlake_disk_used_bytes").set(disk.used as f64);
        metrics::gauge!("coinlake_disk_free_bytes").set(disk.free as f64);
        let warnings = disk.warnings(budget);
        if warnings.len() > warned {
            tracing::warn!("{}", warnings.join("; "));
        }
        warned = warnings.len();
    }
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

/// Free space and size of the disk that holds a folder.
fn space(folder: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some((disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_warning_comes_before_the_disk_is_full() {
        let at = |used, free| DiskUse {
            used: used * GIB,
            free: free * GIB,
            total: 100 * GIB,
        };
        let none: &[String] = &[];
        assert_eq!(at(7, 50).warnings(None), none);
        assert_eq!(at(7, 50).warnings(Some(10 * GIB)), none);
        assert_eq!(at(7, 4).warnings(None), none);
        let warnings = at(8, 50).warnings(Some(10 * GIB));
        assert!(warnings[0].contains("8.00 GiB of disk_budget 10.00 GiB"));
        let warnings = at(8, 3).warnings(Some(10 * GIB));
        assert!(warnings[0].contains("3.00 GiB of 100.00 GiB are free"));
        assert!(warnings[1].contains("disk_budget"));
    }

    #[test]
    fn folders_count_with_what_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(&folder.path().join("data"));
        let lake = folder.path().join("lake");
        for (file, bytes) in [("data/broker/a", 10), ("data/lake/b/c", 20), ("lake/d", 30)] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![0; bytes]).unwrap();
        }
        let used = |lake: &str| DiskUse::measure(&data, lake).unwrap().used;
        assert_eq!(used(&data.lake(None)), 30);
        assert_eq!(used(lake.to_str().unwrap()), 60);
        assert_eq!(used("s3://bucket/lake"), 30);
    }
}
