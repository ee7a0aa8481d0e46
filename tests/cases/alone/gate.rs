//! A way to the API server that can be shut: for the operator behind it the server is gone, and comes back at the same address.

use std::{fs, net::SocketAddr};

use acceptance::ControlPlane;
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The gate, open when made.
pub struct Gate {
    server: SocketAddr,
    address: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Gate {
    /// Opens a gate, and gives the control plane as it is seen through it.
    pub async fn before(plane: &ControlPlane) -> (Self, ControlPlane) {
        let mut config: Value = serde_yaml::from_str(&fs::read_to_string(plane.kubeconfig()).unwrap()).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        let server = cluster["server"].as_str().unwrap().trim_start_matches("https://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        cluster["server"] = json!(format!("https://{address}"));
        let kubeconfig = plane.directory().join("gate.kubeconfig");
        fs::write(&kubeconfig, config.to_string()).unwrap();
        let open = tokio::spawn(pass(listener, server));
        (Self { server, address, open: Some(open) }, ControlPlane::existing(&kubeconfig).unwrap())
    }

    /// Ends all connections and refuses new ones.
    pub async fn shut(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            let _ = open.await; // with it go the listener and the connections
        }
    }

    /// Takes connections again.
    pub async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.open = Some(tokio::spawn(pass(listener, self.server)));
    }
}

async fn pass(listener: TcpListener, server: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut inner, _)) = listener.accept().await {
        connections.spawn(async move {
            if let Ok(mut outer) = TcpStream::connect(server).await {
                let _ = copy_bidirectional(&mut inner, &mut outer).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}
