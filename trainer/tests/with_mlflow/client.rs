//! Who talks to the server: our client, and MLflow's own.

use std::path::Path;
use std::process::Command;

use trainer::tracking::{MlflowServer, MlflowTracking};

use crate::server::{Server, command};

impl Server {
    /// Our client.
    pub fn tracking(&self) -> MlflowTracking {
        self.tracking_as(&[])
    }

    /// Our client with more variables in its environment.
    pub fn tracking_as(&self, variables: &[(&str, &str)]) -> MlflowTracking {
        let uri = self.uri();
        tracking(&[&[("MLFLOW_TRACKING_URI", uri.as_str())], variables].concat())
    }

    /// What a script that uses MLflow's own client prints.
    pub fn python(&self, script: &str, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/with_mlflow/python")
            .join(script);
        let python = command().unwrap().with_file_name("python");
        let output = Command::new(python)
            .arg(&script)
            .args(arguments)
            .env("MLFLOW_TRACKING_URI", self.uri())
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", script.display());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Our client with this environment.
pub fn tracking(variables: &[(&str, &str)]) -> MlflowTracking {
    let server = MlflowServer::from_variables(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    MlflowTracking::new(&server.unwrap().unwrap()).unwrap()
}
