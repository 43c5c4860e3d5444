//! Objects of one kind by name, and those who watch them.
//!
//! Always true: a watcher that has pushed epoch *n* has told its client of every change up to *n*. Whoever makes a change
//! can wait until all watchers have pushed it ([`Registry::settled`]), so that a client finds what it just created.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fluvio_controlplane_metadata::core::Spec;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::objects::Metadata;
use tokio::sync::watch;

/// How long a change waits for clients that don't take their updates.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);
/// What a busy client may need to apply an update it has received before the answer that follows on the same connection:
/// it does both in tasks of their own and says nothing when it is done.
const CLIENT_APPLIES: Duration = Duration::from_millis(30);

/// All objects at one epoch.
pub(crate) type Snapshot<S> = BTreeMap<String, (i64, Arc<Metadata<S>>)>;

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Registry<S>
where
    S: Spec + Encoder + Decoder,
    S::Status: Encoder + Decoder,
{
    objects: Mutex<Snapshot<S>>,
    epoch: watch::Sender<i64>,
    /// What each live watcher has pushed.
    pushed: Mutex<Vec<watch::Receiver<i64>>>,
}

impl<S> Registry<S>
where
    S: Spec + Encoder + Decoder,
    S::Status: Encoder + Decoder,
{
    /// An empty registry.
    pub(crate) fn new() -> Self {
        Self {
            objects: Mutex::new(BTreeMap::new()),
            epoch: watch::Sender::new(0),
            pushed: Mutex::new(Vec::new()),
        }
    }

    /// Adds objects, replacing those of the same name, as one change.
    pub(crate) fn put(&self, objects: impl IntoIterator<Item = Metadata<S>>) {
        let mut all = lock(&self.objects);
        let epoch = *self.epoch.borrow() + 1;
        for object in objects {
            all.insert(object.name.clone(), (epoch, Arc::new(object)));
        }
        self.epoch.send_replace(epoch);
    }

    /// Removes objects by name, as one change.
    pub(crate) fn remove<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let mut all = lock(&self.objects);
        for name in names {
            all.remove(name);
        }
        self.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// The object of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Metadata<S>>> {
        lock(&self.objects)
            .get(name)
            .map(|(_, object)| object.clone())
    }

    /// All objects, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Metadata<S>>> {
        lock(&self.objects)
            .values()
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Starts to watch.
    pub(crate) fn watch(&self) -> Watcher {
        let (pushed, receiver) = watch::channel(-1);
        let mut all = lock(&self.pushed);
        all.retain(|receiver| receiver.has_changed().is_ok());
        all.push(receiver);
        Watcher {
            epoch: self.epoch.subscribe(),
            pushed,
        }
    }

    /// All objects, and the epoch that is.
    pub(crate) fn snapshot(&self) -> (i64, Snapshot<S>) {
        let all = lock(&self.objects);
        (*self.epoch.borrow(), all.clone())
    }

    /// Waits until every watcher has pushed the newest change and its client has had a moment to apply it.
    pub(crate) async fn settled(&self) {
        let epoch = *self.epoch.borrow();
        let watchers = lock(&self.pushed).clone();
        let all_pushed = async {
            for mut pushed in watchers {
                // An error is a watcher that has gone.
                let _ = pushed.wait_for(|pushed| *pushed >= epoch).await;
            }
        };
        let _ = tokio::time::timeout(SETTLE_TIMEOUT, all_pushed).await;
        tokio::time::sleep(CLIENT_APPLIES).await;
    }
}

/// One client's watch.
#[derive(Debug)]
pub(crate) struct Watcher {
    epoch: watch::Receiver<i64>,
    pushed: watch::Sender<i64>,
}

impl Watcher {
    /// Waits for a change that was not pushed yet.
    pub(crate) async fn changed(&mut self) -> bool {
        self.epoch.changed().await.is_ok()
    }

    /// Takes note that everything up to `epoch` is on its way to the client.
    pub(crate) fn pushed(&self, epoch: i64) {
        self.pushed.send_replace(epoch);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
