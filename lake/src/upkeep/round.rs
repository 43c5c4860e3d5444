//! What is done to a table again and again.

use super::Upkeep;
use super::error::UpkeepError;
use super::expire::Expired;
use super::optimize::Optimized;
use crate::table::Table;

/// What a round did, or would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Days past their time.
    pub expired: Expired,
    /// What the table holds then, in fewer files.
    pub optimized: Optimized,
}

impl Upkeep {
    /// [`Upkeep::expire`] by what the table keeps, and [`Upkeep::optimize`], of which the log is read once; `None` when there
    /// is no such table of Coinlake's.
    ///
    /// # Errors
    /// When the lake fails, or it is stopped. What was done until then counts.
    pub async fn keep(&self, table: &Table) -> Result<Option<Kept>, UpkeepError> {
        let Some(mut snapshot) = self.snapshot_of(table).await? else {
            return Ok(None);
        };
        let expired = self.expire_from(&mut snapshot, None).await?;
        let optimized = self.optimize_from(&mut snapshot).await?;
        Ok(Some(Kept { expired, optimized }))
    }
}
