//! The responses of one stream, and the silence between them.

use std::fmt::Display;
use std::time::Duration;

use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use tokio::time::Instant;

use super::error::ReadError;
use crate::cluster::leader::Leader;
use crate::cluster::partition_error::PartitionError;

/// After this long without a response a reader asks whether the leader is still there.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// An open stream.
pub(super) struct Responses {
    /// What a reader does with it, for messages.
    what: String,
    last_heard: Instant,
}

/// What a stream brings.
pub(super) enum Heard {
    Response(DefaultStreamFetchResponse),
    /// Nothing for a while: check that the leader answers, then call [`Responses::is_alive`].
    Silence,
}

impl Responses {
    pub(super) async fn open(
        leader: &mut Leader,
        request: DefaultStreamFetchRequest,
        what: String,
    ) -> Result<Self, ReadError> {
        leader.stream(request).await?;
        Ok(Self {
            what,
            last_heard: Instant::now(),
        })
    }

    /// Waits for a response. Cancel-safe.
    pub(super) async fn next(&mut self, leader: &mut Leader) -> Result<Heard, ReadError> {
        loop {
            let deadline = self.last_heard.max(leader.last_received()) + IDLE_CHECK;
            match tokio::time::timeout_at(deadline, leader.response()).await {
                Ok(Ok(response)) => {
                    self.last_heard = Instant::now();
                    return Ok(Heard::Response(response));
                }
                Ok(Err(error)) => return Err(self.disconnected(error)),
                // A response is coming in parts, or came in while the caller was busy for long.
                Err(_) if leader.last_received() + IDLE_CHECK > deadline => {}
                Err(_) => return Ok(Heard::Silence),
            }
        }
    }

    /// The leader has answered: the next check comes after another silence.
    pub(super) fn is_alive(&mut self) {
        self.last_heard = Instant::now();
    }

    fn disconnected(&self, reason: impl Display) -> ReadError {
        PartitionError::disconnected(&self.what, reason).into()
    }
}
