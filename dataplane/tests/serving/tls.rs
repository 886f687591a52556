//! TLS by server name, HTTP/1.1 and HTTP/2 inside.

use std::fmt::Write as _;
use std::sync::Arc;

use dataplane::PortProtocol;
use http::Request;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::shop::{Echo, Shop, Talk, at, route, soon};
use crate::standard::service;

const HOSTS: [&str; 2] = ["one.example", "two.example"];

/// A Gateway with a plain listener and one with a certificate of its own for each host.
struct Certified {
    manifests: String,
    certificates: Vec<CertificateDer<'static>>,
}

fn certified() -> Certified {
    let mut manifests = format!("{GATEWAY}    - {{name: http, protocol: HTTP, port: 80}}\n");
    let (mut secrets, mut certificates) = (String::new(), Vec::new());
    for (index, host) in HOSTS.iter().enumerate() {
        let made = rcgen::generate_simple_self_signed(vec![(*host).to_owned()]).unwrap();
        let data = json!({"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()});
        writeln!(
            manifests,
            "    - {{name: tls-{index}, protocol: HTTPS, port: 443, hostname: {host}, tls: {{certificateRefs: [{{name: tls-{index}}}]}}}}"
        )
        .unwrap();
        write!(
            secrets,
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: tls-{index}, namespace: shop}}\ntype: kubernetes.io/tls\nstringData: {data}\n"
        )
        .unwrap();
        certificates.push(made.cert.der().clone());
    }
    Certified { manifests: manifests + &secrets, certificates }
}

const GATEWAY: &str = "
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: doorward, namespace: shop}
spec:
  gatewayClassName: doorward
  listeners:
";

async fn connect(shop: &Shop, certified: &Certified, host: &str, alpn: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certified.certificates.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(shop.address(PortProtocol::Https)).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
    stream
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn each_name_has_its_certificate_and_its_hosts() {
    let echo = Echo::open().await;
    let certified = certified();
    let shop = Shop::open(&[&certified.manifests[..], &route("all", "/", &at(echo.address), "")].concat()).await;
    for (host, other, certificate) in
        [(HOSTS[0], HOSTS[1], &certified.certificates[0]), (HOSTS[1], HOSTS[0], &certified.certificates[1])]
    {
        let stream = connect(&shop, &certified, host, b"http/1.1").await;
        assert_eq!(stream.get_ref().1.peer_certificates(), Some(&[certificate.clone()][..]), "{host}");
        let mut client = Talk::on(stream);
        let text = client.ask(&get("/first", host)).await.expect(200);
        assert!(text.contains("x-forwarded-proto: https\r\n"), "{text}");
        let misdirected = client.ask(&get("/second", other)).await;
        assert_eq!((misdirected.status(), misdirected.code()), (421, "route.misdirected"), "{host}");
        // The connection is kept all the while.
        assert!(client.ask(&get("/third", &host.to_uppercase())).await.expect(200).starts_with("GET /third "));

        let stream = connect(&shop, &certified, host, b"h2").await;
        let (sender, connection) = soon(h2::client::handshake(stream)).await.unwrap();
        let driving = tokio::spawn(connection);
        for (asked, status) in [(host, 200), (other, 421), (host, 200)] {
            let request = Request::get(format!("https://{asked}/x")).body(()).unwrap();
            let (answer, _) = soon(sender.clone().ready()).await.unwrap().send_request(request, true).unwrap();
            assert_eq!(soon(answer).await.unwrap().status(), status, "{host}: {asked}");
        }
        driving.abort();
    }
    shop.close().await;
}

#[tokio::test]
async fn a_listener_that_is_removed_ends_its_idle_connections() {
    let certified = certified();
    let all = route("all", "/", "{response: {body: ok}}", "");
    let shop = Shop::open(&[&certified.manifests[..], &all].concat()).await;
    let mut kept = Talk::on(connect(&shop, &certified, HOSTS[0], b"http/1.1").await);
    kept.ask(&get("/", HOSTS[0])).await.expect(200);
    let mut silent = Talk::on(connect(&shop, &certified, HOSTS[1], b"http/1.1").await);
    let mut plain = shop.visit().await;
    plain.ask(&get("/", "shop")).await.expect(200);
    let address = shop.address(PortProtocol::Https);
    shop.apply(&format!("{GATEWAY}    - {{name: http, protocol: HTTP, port: 80}}\n{all}")).await;
    assert_eq!(kept.rest().await, b"");
    assert_eq!(silent.rest().await, b"");
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    // The other listener's connections do not notice.
    plain.ask(&get("/", "shop")).await.expect(200);
    shop.close().await;
}

#[tokio::test]
async fn ingresses_bring_their_certificates_to_a_gateway_without_a_tls_listener() {
    let echo = Echo::open().await;
    let certified = certified();
    let secrets = certified.manifests.find("---\napiVersion: v1").and_then(|start| certified.manifests.get(start..)).unwrap();
    let rule = |host: &str| {
        format!(
            "{{host: {host}, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: echo, port: {{number: 80}}}}}}}}]}}}}"
        )
    };
    let ingress = |name: &str, tls: &str, hosts: &[&str]| {
        let rules: Vec<String> = hosts.iter().map(|host| rule(host)).collect();
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{tls: [{tls}], rules: [{}]}}\n",
            rules.join(", ")
        )
    };
    let one = ingress("one", "{hosts: [one.example], secretName: tls-0}", &["one.example", "plain.example"]);
    let two = ingress("two", "{secretName: tls-1}", &["two.example"]);
    let gateway = format!("{GATEWAY}    - {{name: http, protocol: HTTP, port: 80}}\n");
    let shop = Shop::open(&[&gateway, secrets, &one, &two, &service("echo", echo.address)].concat()).await;
    for (host, certificate) in HOSTS.iter().zip(&certified.certificates) {
        let stream = connect(&shop, &certified, host, b"http/1.1").await;
        assert_eq!(stream.get_ref().1.peer_certificates(), Some(&[certificate.clone()][..]), "{host}");
        let mut client = Talk::on(stream);
        client.ask(&get("/", host)).await.expect(200);
        // Nobody brought a certificate for this one.
        assert_eq!(client.ask(&get("/", "plain.example")).await.code(), "route.host_unknown");
    }
    for host in HOSTS.iter().chain(&["plain.example"]) {
        shop.ask(&get("/", host)).await.expect(200);
    }
    shop.close().await;
}

#[tokio::test]
async fn listeners_that_share_a_certificate_are_told_apart() {
    let certified = certified();
    let shared = certified
        .manifests
        .replace("[{name: tls-1}]", "[{name: tls-0}, {name: tls-1}]")
        .replace("[{name: tls-0}]", "[{name: tls-0}, {name: tls-1}]");
    let shop = Shop::open(&[&shared[..], &route("all", "/", "{response: {body: ok}}", "")].concat()).await;
    let mut client = Talk::on(connect(&shop, &certified, HOSTS[0], b"http/1.1").await);
    client.ask(&get("/", HOSTS[0])).await.expect(200);
    let misdirected = client.ask(&get("/", HOSTS[1])).await;
    assert_eq!((misdirected.status(), misdirected.code()), (421, "route.misdirected"));
    shop.close().await;
}
