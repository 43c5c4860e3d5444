//! What a failure of an object store means, and what to do about it.

use std::{io, iter};

use object_store::Error;

use crate::error::LakeError;
use crate::lake::Lake;

/// What a failure is to whoever runs the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Denied,
    Unusable,
    NoSpace,
    Unavailable,
}

/// Words of an answer that say more than its status, what they mean, and what to do.
const KNOWN: [(&[&str], Kind, &str); 14] = [
    (
        &["ExpiredToken", "TokenRefreshRequired"],
        Kind::Denied,
        "its session token has expired; set a new one (aws_session_token), or a role or key that does not expire",
    ),
    (
        &["InvalidAccessKeyId", "XAdminUserNotFound"],
        Kind::Denied,
        "no user of the store has this key; correct aws_access_key_id",
    ),
    (
        &["RequestTimeTooSkewed", "Request date header too old"],
        Kind::Unavailable,
        "this machine's clock is wrong; set it",
    ),
    (
        &["NoSuchBucket", "ContainerNotFound", "bucket does not exist"],
        Kind::Unusable,
        "there is no such bucket; create it, or correct the lake's address",
    ),
    (
        &["Content-MD5", "x-amz-checksum-"],
        Kind::Unusable,
        "the bucket has Object Lock and wants a checksum with every file; set the option aws_checksum_algorithm to sha256",
    ),
    (
        &[
            "incorrectly configured region",
            "AuthorizationHeaderMalformed",
        ],
        Kind::Unusable,
        "the bucket is in another region; set the option aws_region",
    ),
    (
        &[
            "169.254.169.254",
            "latest/api/token",
            "metadata.google.internal",
        ],
        Kind::Unavailable,
        "no credentials are set, and the machine has no role to get them from; set them in the options or the environment",
    ),
    (
        &["SafeModeException"],
        Kind::Unavailable,
        "the NameNode is in safe mode, and leaves it when enough DataNodes have reported; if it stays: `hdfs dfsadmin \
         -safemode get`",
    ),
    (
        &["NSQuotaExceededException"],
        Kind::NoSpace,
        "the quota of names is used up: `hdfs dfsadmin -setQuota`",
    ),
    (
        &[
            "DSQuotaExceededException",
            "QuotaByStorageTypeExceededException",
        ],
        Kind::NoSpace,
        "the space quota is used up: `hdfs dfsadmin -setSpaceQuota`",
    ),
    (
        &["could only be written to 0 of the"],
        Kind::NoSpace,
        "no DataNode has space, or none is up: `hdfs dfsadmin -report`",
    ),
    (
        &["AccessControlException"],
        Kind::Denied,
        "this user may not write there: `hdfs dfs -chown`, or another user in HADOOP_USER_NAME",
    ),
    (
        &["StandbyException"],
        Kind::Unavailable,
        "no NameNode is active: `hdfs haadmin -getAllServiceState`",
    ),
    (
        &["InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"],
        Kind::NoSpace,
        "the store is full",
    ),
];

impl Lake {
    /// What a failure of the object store means.
    pub(crate) fn store_error(&self, path: &str, error: Error) -> LakeError {
        if let Some(error) = of_local_disk(&error) {
            return self.local_error(path, error);
        }
        let lake = self.to_string();
        let path = path.to_owned();
        let text = error.to_string();
        let answer = in_one_line(&text);
        let known = KNOWN
            .iter()
            .find(|(words, _, _)| words.iter().any(|word| text.contains(word)));
        let (kind, reason) = match known {
            Some((_, kind, remedy)) => (*kind, format!("{remedy} (the store: {answer})")),
            None => (by_status(&error, &text), answer),
        };
        match kind {
            Kind::Denied => LakeError::Denied { lake, path, reason },
            Kind::Unusable => LakeError::Unusable { lake, reason },
            Kind::NoSpace => LakeError::NoSpace {
                path: format!("{lake}/{path}"),
                reason,
            },
            Kind::Unavailable => LakeError::Unavailable { lake, reason },
        }
    }
}

/// What the disk said, if the lake is a local folder: the store calls everything but a missing file generic.
fn of_local_disk(error: &Error) -> Option<&io::Error> {
    let Error::Generic {
        store: "LocalFileSystem",
        source,
    } = error
    else {
        return None;
    };
    let source: &(dyn std::error::Error + 'static) = source.as_ref();
    let mut causes = iter::successors(Some(source), |error| error.source());
    causes.find_map(|error| error.downcast_ref())
}

fn by_status(error: &Error, text: &str) -> Kind {
    // Errors of a listing carry the status only in their text.
    let status = |code: &str| text.contains(&format!("status code: {code}"));
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Kind::Denied,
        _ if status("401") || status("403") => Kind::Denied,
        Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::InvalidPath { .. }
        | Error::UnknownConfigurationKey { .. } => Kind::Unusable,
        _ => Kind::Unavailable,
    }
}

/// An answer without its markup and its stack trace.
fn in_one_line(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>"))
            .map(|(found, _)| found)
    };
    let head = text.split("<?xml").next().unwrap_or_default();
    let head = head.split("<Error>").next().unwrap_or_default();
    let said = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => {
            // Azure says there what the message leaves open.
            let detail = element("AuthenticationErrorDetail").unwrap_or_default();
            format!("{head}{code}: {message} {detail}")
        }
        (Some(code), None) => format!("{head}{code}"),
        // Java puts where it happened on lines of their own.
        _ => text.split("\n\tat ").next().unwrap_or_default().to_owned(),
    };
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn meant(text: &str) -> LakeError {
        let lake = Lake::on_store(Arc::new(InMemory::new()));
        let source = text.to_owned().into();
        lake.store_error(
            "raw/file",
            Error::Generic {
                store: "S3",
                source,
            },
        )
    }

    #[test]
    fn an_answer_is_one_line_with_the_remedy() {
        let error = meant(
            "Server returned non-2xx status code: 400 Bad Request: <?xml version=\"1.0\"?>\n<Error>\n <Code>ExpiredToken</Code>\
             <Message>The provided token has expired.</Message></Error>",
        );
        assert!(!error.is_transient());
        assert_eq!(
            error.to_string(),
            "the lake memory refuses access to raw/file: its session token has expired; set a new one (aws_session_token), or a \
             role or key that does not expire (the store: Generic S3 error: Server returned non-2xx status code: 400 Bad \
             Request: ExpiredToken: The provided token has expired.); check the permissions there, and the credentials in the \
             store's options or the environment"
        );
    }

    #[test]
    fn what_may_pass_is_transient() {
        let java = "RPC error: org.apache.hadoop.hdfs.server.namenode.SafeModeException Cannot create file.\n\tat a.B.c(B.java)";
        let error = meant(java);
        assert!(error.is_transient());
        assert!(error.to_string().contains("safe mode"), "{error}");
        assert!(!error.to_string().contains("B.java"), "{error}");
        let full =
            meant("RPC error: org.apache.hadoop.hdfs.protocol.DSQuotaExceededException The quota");
        assert!(
            matches!(full, LakeError::NoSpace { .. }) && full.is_transient(),
            "{full}"
        );
        assert!(meant("status code: 503 SlowDown").is_transient());
    }

    /// Azure's words of a date that is more than 15 minutes off.
    #[test]
    fn a_wrong_clock_is_waited_for() {
        let error = meant(
            "status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to \
             authenticate the request.</Message><AuthenticationErrorDetail>Request date header too old: 'Fri, 24 Jul 2020 15:24:02 \
             GMT'</AuthenticationErrorDetail></Error>",
        );
        assert!(error.is_transient());
        let said = error.to_string();
        assert!(
            said.contains("this machine's clock is wrong") && said.contains("24 Jul 2020"),
            "{said}"
        );
    }

    #[test]
    fn what_cannot_pass_is_not() {
        for text in [
            "status code: 403 Forbidden",
            "status code: 404 <Code>NoSuchBucket</Code>",
            "status code: 400 Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock",
            "RPC error: org.apache.hadoop.security.AccessControlException Permission denied: user=x",
        ] {
            assert!(!meant(text).is_transient(), "{text}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_local_file_that_may_not_be_read_is_denied() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_str(folder.path().to_str().unwrap(), []).unwrap();
        let entry = folder.path().join("raw/_delta_log/entry.json");
        std::fs::create_dir_all(entry.parent().unwrap()).unwrap();
        std::fs::write(&entry, "{}").unwrap();
        let may_be_read = |path: &std::path::Path, yes: bool| {
            let mode = if yes { 0o700 } else { 0 };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        may_be_read(&entry, false);
        if std::fs::read(&entry).is_ok() {
            println!("skipped: root may read everything");
            return;
        }
        let log = entry.parent().unwrap();
        let unreadable = lake.read("raw/_delta_log/entry.json").await.unwrap_err();
        may_be_read(log, false);
        let unlisted = lake.list("raw/_delta_log", None).await.unwrap_err();
        may_be_read(log, true);
        for error in [unreadable, unlisted] {
            assert!(matches!(error, LakeError::Denied { .. }), "{error}");
            assert!(!error.is_transient());
            assert!(error.to_string().contains("raw/_delta_log"), "{error}");
        }
    }
}
