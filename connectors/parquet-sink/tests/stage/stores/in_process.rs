//! An S3 server in the test's own process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpError, HttpRequest, HttpResponse};

use super::{Place, prepared, serve};
use crate::support::*;

pub(super) const KEY: &str = "key";
pub(super) const SECRET: &str = "secret";

/// A store on files, with one bucket.
pub(super) struct Store {
    service: S3Service,
    /// One request at a time: s3s-fs, unlike S3, may create an object twice when requests come at the same moment.
    turn: tokio::sync::Mutex<()>,
    /// How many it answered.
    pub requests: AtomicU64,
}

impl Store {
    /// With one user, [`KEY`].
    pub(super) fn new(folder: &Path) -> Arc<Self> {
        Self::with(folder, |service| {
            service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        })
    }

    /// For everybody, with requests that are not signed.
    pub(super) fn open_to_all(folder: &Path) -> Arc<Self> {
        Self::with(folder, |_| {})
    }

    fn with(folder: &Path, set: impl FnOnce(&mut S3ServiceBuilder)) -> Arc<Self> {
        std::fs::create_dir_all(folder.join("bucket")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
        set(&mut service);
        Arc::new(Self {
            service: service.build(),
            turn: tokio::sync::Mutex::default(),
            requests: AtomicU64::new(0),
        })
    }

    pub(super) async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let _turn = self.turn.lock().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.service.call(request).await
    }

    /// Serves it, and says where.
    pub(super) async fn serve(self: &Arc<Self>) -> Place {
        let store = self.clone();
        let addr = serve(move |request| {
            let store = store.clone();
            async move { store.answer(request).await }
        })
        .await;
        Place::s3(addr, KEY, SECRET)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_lands_the_same_rows_as_in_a_folder() {
    let platform = prepared(Platform::start().await).await;
    platform.produce("crypto-raw", 0, &market(100)).await;
    let place = Store::new(&platform.data.path().join("s3")).serve().await;
    let config = || {
        let mut config = platform.config("s3", CLEAN);
        place.set(&mut config);
        config.settings.limits.rows_max = 100;
        config
    };
    platform.run_to_end(config()).await;
    // The second run resumes after what the first one wrote.
    platform
        .produce("crypto-raw", 0, &market_between(100..120))
        .await;
    platform.run_to_end(config()).await;
    platform.run_to_end(platform.config("golden", CLEAN)).await;
    let lake = place.open();
    for layer in ["clean", "rejected"] {
        let rows = rows_in(&lake, layer).await;
        assert_eq!(rows, platform.rows("golden", layer).await);
    }
    let summary = lake.table("clean").summary().await.unwrap().unwrap();
    assert_eq!((summary.rows, summary.places.len()), (360, 1));
}
