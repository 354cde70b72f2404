module conversations

go 1.21
