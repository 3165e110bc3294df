module flash.test/deploy/tutorial

go 1.26.0
