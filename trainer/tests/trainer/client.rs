//! Who talks to the server: our client, and MLflow's own.

use std::path::Path;

use fixtures::mlflow::Server;
use trainer::tracking::{MlflowServer, MlflowTracking};

/// Our client of a server.
pub(crate) fn client_of(server: &Server) -> MlflowTracking {
    client_as(server, &[])
}

/// Our client of a server, with more variables in its environment.
pub(crate) fn client_as(server: &Server, variables: &[(&str, &str)]) -> MlflowTracking {
    let uri = server.uri();
    client(&[&[("MLFLOW_TRACKING_URI", uri.as_str())], variables].concat())
}

/// Our client with this environment.
pub(crate) fn client(variables: &[(&str, &str)]) -> MlflowTracking {
    let server = MlflowServer::from_variables(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    });
    MlflowTracking::new(&server.unwrap().unwrap()).unwrap()
}

/// What one of our scripts prints, which uses MLflow's own client.
pub(crate) fn python(server: &Server, script: &str, arguments: &[&str]) -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trainer/python");
    server.python(&scripts.join(script), arguments)
}
