//! One authority and a certificate for every program that speaks to the API server, or is spoken to.

use std::process::Command;
use std::thread;

use xtask::Failure;

use crate::place::Place;
use crate::run::output;

use super::settings::{API_SERVER, SERVICE_ADDRESS};

/// File name, subject, and the names it is valid for.
const CERTIFICATES: [(&str, &str, &str); 7] = [
    (
        "apiserver",
        "/CN=kube-apiserver",
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.99.0.1,IP:",
    ),
    ("admin", "/O=system:masters/CN=admin", ""),
    ("kube-controller-manager", "/CN=system:kube-controller-manager", ""),
    ("kube-scheduler", "/CN=system:kube-scheduler", ""),
    ("kube-proxy", "/CN=system:kube-proxy", ""),
    ("kubelet", "/O=system:nodes/CN=system:node:node", "DNS:node,IP:10.99.0.1"),
    ("front-proxy", "/CN=front-proxy", ""),
];

/// Makes all of them, the key pair of service accounts, and a kubeconfig for each client.
pub(super) fn make(place: &Place) -> Result<(), Failure> {
    // The system's own settings would make every certificate an authority.
    let config = place.write("certificates/openssl.cnf", "[req]\ndistinguished_name = subject\n[subject]\n")?;
    let config = config.to_string_lossy().into_owned();
    let path = |name: &str| place.path(&format!("certificates/{name}")).to_string_lossy().into_owned();
    let openssl = |name: &str, subject: &str| {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-config", &config, "-days", "3650", "-nodes", "-subj", subject]);
        command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-keyout", &path(&format!("{name}.key")), "-out", &path(&format!("{name}.crt"))]);
        command
    };
    let (ca, ca_key) = (path("ca.crt"), path("ca.key"));
    output(openssl("ca", "/CN=doorward-e2e").args([
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,digitalSignature,cRLSign",
    ]))?;
    let one = |name: &str, subject: &str, names: &str| -> Result<(), Failure> {
        let mut command = openssl(name, subject);
        command.args(["-CA", &ca, "-CAkey", &ca_key, "-addext", "basicConstraints=critical,CA:FALSE"]);
        command.args(["-addext", "extendedKeyUsage=serverAuth,clientAuth"]);
        if !names.is_empty() {
            let names = if names.ends_with("IP:") { format!("{names}{SERVICE_ADDRESS}") } else { names.to_owned() };
            command.args(["-addext", &format!("subjectAltName={names}")]);
        }
        output(&mut command)?;
        place.write(&format!("kubeconfigs/{name}"), &kubeconfig(name, &path)).map(drop)
    };
    let accounts = || output(Command::new("openssl").args(["genrsa", "-out", &path("accounts.key"), "2048"])).map(drop);
    thread::scope(|scope| {
        let mut running = vec![scope.spawn(accounts)];
        for (name, subject, names) in CERTIFICATES {
            let one = &one;
            running.push(scope.spawn(move || one(name, subject, names)));
        }
        running.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Failure::new("a thread ended early"))))
    })
}

fn kubeconfig(name: &str, path: &impl Fn(&str) -> String) -> String {
    let (ca, certificate, key) = (path("ca.crt"), path(&format!("{name}.crt")), path(&format!("{name}.key")));
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: e2e\n\
         clusters: [{{name: e2e, cluster: {{server: 'https://{API_SERVER}', certificate-authority: '{ca}'}}}}]\n\
         users: [{{name: {name}, user: {{client-certificate: '{certificate}', client-key: '{key}'}}}}]\n\
         contexts: [{{name: e2e, context: {{cluster: e2e, user: {name}}}}}]\n"
    )
}
