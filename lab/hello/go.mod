module rpool.local/hello

go 1.22
