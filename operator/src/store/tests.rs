//! Orders of arrival, last good versions, contents.
