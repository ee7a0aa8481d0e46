module govcloud.io/tests/platform/pod

go 1.26.0
