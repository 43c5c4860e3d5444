//! The pods of a StatefulSet share a stage's partitions by Leases of a real API server: scaled, killed and cut off, they land every row
//! once.

use std::path::Path;

use connector_runtime::kubernetes::Pod;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::reader;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use fixtures::kubernetes::ControlPlane;
use parquet_sink::StageConfig;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

const PARTITIONS: u32 = 3;
/// What the manifests allow a stage.
const RIGHTS: &str = include_str!("../../../../k8s/base/service-accounts.yaml");
const STATEFULSET: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: stage-clean, namespace: default }
spec:
  replicas: 1
  serviceName: stage-clean
  selector: { matchLabels: { app: stage } }
  template:
    metadata: { labels: { app: stage } }
    spec: { containers: [{ name: stage, image: "coinlake:0" }] }
"#;

/// A stage with a StatefulSet of its own.
struct Pods {
    platform: Platform,
    kubernetes: ControlPlane,
    folder: TempDir,
}

impl Pods {
    async fn start() -> Option<Self> {
        let pods = Self::on(Platform::start().await).await?;
        pods.platform.topic("crypto-raw", PARTITIONS).await;
        Some(pods)
    }

    /// Without the input topic.
    async fn on(platform: Platform) -> Option<Self> {
        let kubernetes = ControlPlane::start()?;
        let folder = TempDir::new().unwrap();
        kubernetes.kubectl(&["apply", "--filename=-"], STATEFULSET);
        // Kustomize adds the namespace.
        let rights = RIGHTS.replace(
            "name: lake-writer }",
            "name: lake-writer, namespace: default }",
        );
        kubernetes.kubectl(&["apply", "--namespace=default", "--filename=-"], &rights);
        kubernetes.in_a_pod(folder.path(), "default", "lake-writer");
        platform.module("crypto-clean", "crypto-clean", b"").await;
        Some(Self {
            platform,
            kubernetes,
            folder,
        })
    }

    fn config(&self, trial: &str) -> StageConfig {
        let mut config = self.platform.config(trial, CLEAN);
        config.settings.limits.rows_max = 70;
        config
    }

    fn pod(&self, index: u32, folder: &Path) -> RunningStage {
        let mut config = self.config("pods");
        config.settings.pod = Some(self.at(index, folder));
        self.platform.start_stage(config)
    }

    fn at(&self, index: u32, folder: &Path) -> Pod {
        let name = format!("stage-clean-{index}");
        Pod::at(self.kubernetes.url(), folder, &name).unwrap()
    }

    fn scale(&self, pods: u32) {
        let replicas = format!("--replicas={pods}");
        let set = ["scale", "statefulset", "stage-clean", &replicas];
        self.kubernetes.kubectl(&set, "");
    }

    /// So many minutes of market more in each partition.
    async fn produce(&self, minutes: std::ops::Range<i64>) {
        for partition in 0..PARTITIONS {
            let records = market_between(minutes.clone());
            self.platform
                .produce("crypto-raw", partition, &records)
                .await;
        }
    }

    fn holders(&self) -> String {
        let holders = "--output=jsonpath={.items[*].spec.holderIdentity}";
        let ours = "--selector=app.kubernetes.io/part-of=coinlake";
        self.kubernetes
            .kubectl(&["get", "leases", ours, holders], "")
    }

    async fn assert_every_row_once(&self) {
        self.platform.run_to_end(self.config("golden")).await;
        let made = Made {
            partitions: PARTITIONS,
            ..CLEAN_MADE
        };
        let golden = self.platform.landed("golden", &made).await;
        let landed = self.platform.landed("pods", &made).await;
        assert_same(&landed, &golden, "pods");
    }
}

/// Waits until pods work on these partitions, and have handled all there is.
async fn share(pods: &[(&RunningStage, &[u32])], pods_of: &Pods) {
    let inputs = pods_of.platform.inputs(&pods_of.config("pods")).await;
    eventually("the pods share the partitions", || async {
        let mut handled = 0;
        let all = pods.iter().all(|(pod, partitions)| {
            assert!(!pod.task.is_finished(), "a pod ended early");
            handled += pod.status.next_input();
            pod.status.partitions().keys().eq(partitions.iter())
        });
        all && handled == inputs
    })
    .await;
}

/// When each partition of this stage was last committed, as Prometheus reads it.
async fn last_commits(monitor: &Monitor, stage: &str) -> Vec<f64> {
    let addr = monitor.addr().unwrap();
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut scrape = String::new();
    socket.read_to_string(&mut scrape).await.unwrap();
    let gauge = |partition| {
        let begin = format!(
            r#"parquet_sink_last_commit_timestamp_seconds{{stage="{stage}",partition="{partition}"}} "#
        );
        scrape
            .lines()
            .find_map(|line| line.strip_prefix(&begin)?.parse().ok())
    };
    (0..PARTITIONS).filter_map(gauge).collect()
}

/// Otherwise the age of a partition that another pod commits would grow, and alert somebody.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pod_forgets_the_last_commits_of_partitions_that_it_gives_up() {
    let Some(pods) = Pods::start().await else {
        return;
    };
    let listen = MonitorArgs {
        metrics_listen: Some(([127, 0, 0, 1], 0).into()),
    };
    let monitor = Monitor::start(&listen, "test").await.unwrap();
    pods.produce(0..40).await;
    let mut config = pods.config("pods");
    // Other tests of this process count under its usual name.
    config.meta.name = "stage-scaled".to_owned();
    config.settings.pod = Some(pods.at(0, pods.folder.path()));
    let pod = pods.platform.start_stage(config);
    let commits = || last_commits(&monitor, "stage-scaled");
    eventually("every partition is committed", || async {
        let commits = commits().await;
        commits.len() == 3 && commits.iter().all(|at| *at > 0.0)
    })
    .await;
    pods.scale(3);
    eventually("two partitions are given up", || async {
        let commits = commits().await;
        commits[0] > 0.0 && commits[1].is_nan() && commits[2].is_nan()
    })
    .await;
    pod.stops().await.unwrap();
}

/// What the operator accepted holds for what a pod found when it had a partition for the first time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn losses_in_a_partition_that_comes_back_are_not_accepted_again() {
    let Some(mut pods) = Pods::on(Platform::embedded().await).await else {
        return;
    };
    // Each batch gets a segment of its own, and only the newest stays.
    let settings = TopicSettings {
        partitions: Some(PARTITIONS),
        segment_size_bytes: Some(40_000),
        partition_size_bytes_max: Some(40_000),
        ..TopicSettings::named("crypto-raw")
    };
    let client = pods.platform.client().await;
    ensure_topic(&client, &settings).await.unwrap();
    pods.produce(0..10).await;
    let mut config = pods.config("pods");
    config.settings.pod = Some(pods.at(0, pods.folder.path()));
    config.settings.accept.lost_records = true;
    let pod = pods.platform.start_stage(config);
    share(&[(&pod, &[0, 1, 2])], &pods).await;

    // Nobody reads partition 1 until the number of pods is one again.
    pods.scale(2);
    eventually("a partition is given up", || async {
        pod.status.partitions().keys().eq(&[0, 2])
    })
    .await;
    for minutes in [10..200, 200..400] {
        pods.platform
            .produce("crypto-raw", 1, &market_between(minutes))
            .await;
    }
    // A broker removes old segments when it starts.
    pods.platform.restart_broker_after(async || {}).await;
    let landed = market_between(0..10).len() as i64;
    eventually("records are gone", || async {
        let client = pods.platform.client().await;
        let held = reader::offsets(&client, "crypto-raw", 1).await.unwrap();
        held.start > landed
    })
    .await;
    pods.scale(1);
    let message = pod.ends().await.unwrap_err().to_string();
    assert!(message.contains("--accept-lost-records"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn partitions_follow_the_number_of_pods() {
    let Some(pods) = Pods::start().await else {
        return;
    };
    let folder = pods.folder.path();
    pods.produce(0..40).await;
    let first = pods.pod(0, folder);
    share(&[(&first, &[0, 1, 2])], &pods).await;

    pods.scale(3);
    let (second, third) = (pods.pod(1, folder), pods.pod(2, folder));
    pods.produce(40..80).await;
    let all: [(_, &[u32]); 3] = [(&first, &[0]), (&second, &[1]), (&third, &[2])];
    share(&all, &pods).await;
    assert_eq!(pods.holders(), "stage-clean-0 stage-clean-1 stage-clean-2");
    // More pods than partitions: the fourth has nothing to do, and is ready.
    pods.scale(4);
    let fourth = pods.pod(3, folder);
    eventually("the fourth pod is ready", || async {
        use connector_runtime::process::monitor::Observed as _;
        fourth.status.ready().is_ok() && fourth.status.partitions().is_empty()
    })
    .await;
    fourth.stops().await.unwrap();

    // Killed without a word: its partition is taken when its Lease has expired.
    third.task.abort();
    pods.scale(1);
    second.stops().await.unwrap();
    pods.produce(80..120).await;
    share(&[(&first, &[0, 1, 2])], &pods).await;
    first.stops().await.unwrap();
    assert_eq!(pods.holders().trim(), "");
    pods.assert_every_row_once().await;
}
