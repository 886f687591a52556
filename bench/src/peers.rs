//! nginx twice: as the backend that answers from memory, and as the peer that the gateway is held against.

use std::net::SocketAddr;
use std::path::Path;

use crate::manifests::key;
use crate::plan::{KEYS, LARGE_ANSWER, SMALL_ANSWER};

/// Settings of both: one process, nothing logged, connections kept for as long as the measurement lasts.
fn settings(folder: &Path, connections: usize, http: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{\n\
         access_log off;\nserver_tokens off;\n\
         keepalive_timeout 1h;\nkeepalive_requests 1000000000;\n\
         client_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\nfastcgi_temp_path {folder}/fastcgi;\n\
         uwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n\
         {http}}}\n"
    )
}

/// The backend: the large answer on its path, the small one on every other. The large one lies in `folder`.
pub(crate) fn backend(folder: &Path, listen: SocketAddr) -> String {
    let small = "s".repeat(SMALL_ANSWER);
    settings(
        folder,
        1024,
        &format!(
            "default_type text/plain;\nsendfile on;\nopen_file_cache max=16 inactive=1h;\nopen_file_cache_valid 1h;\n\
             server {{\nlisten {listen} backlog=1024;\n\
             location / {{ return 200 \"{small}\"; }}\n\
             location = /large {{ root {}; }}\n}}\n",
            folder.display()
        ),
    )
}

/// The body of the large answer.
pub(crate) fn large_answer() -> String {
    "l".repeat(LARGE_ANSWER)
}

/// The peer: forwards, and on `/keys` looks each key up in a map and counts it in its own limit.
pub(crate) fn proxy(folder: &Path, listen: SocketAddr, backend: SocketAddr) -> String {
    let keys: String = (0..KEYS).map(|number| format!("\"{}\" consumer-{number:05};\n", key(number))).collect();
    settings(
        folder,
        1024,
        &format!(
            "map_hash_max_size 8192;\nmap_hash_bucket_size 128;\n\
             map $http_x_api_key $consumer {{\ndefault \"\";\n{keys}}}\n\
             limit_req_zone $consumer zone=keys:16m rate=1000000r/s;\nlimit_req_status 429;\n\
             upstream backend {{ server {backend}; keepalive 64; keepalive_requests 1000000000; keepalive_timeout 1h; }}\n\
             proxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_set_header Host $host;\n\
             server {{\nlisten {listen} backlog=1024;\n\
             location / {{ proxy_pass http://backend; }}\n\
             location /keys {{\nif ($consumer = \"\") {{ return 401; }}\n\
             limit_req zone=keys burst=1000000 nodelay;\nproxy_pass http://backend;\n}}\n}}\n"
        ),
    )
}
