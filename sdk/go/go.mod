module lectern

go 1.19
