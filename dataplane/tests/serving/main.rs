//! A gateway as its clients and upstreams see it over time.

#[cfg(test)]
mod bypass;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod http_routes;
#[cfg(test)]
mod ingresses;
#[cfg(test)]
mod left;
mod limits;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod standard;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod traffic;

#[cfg(test)]
#[path = "../shop/mod.rs"]
#[expect(dead_code, reason = "what upstreams hear of broken bodies is tested in `wire`")]
mod shop;
