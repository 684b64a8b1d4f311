(** * Non-vacuity: every hypothesis set used in this folder is satisfiable.

    Two-point space, mu = (1/4, 3/4), success on the first point. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs Filter PassAtK Advantage JSD Softmax.
Import ListNotations.
Open Scope R_scope.

Definition l2 := [true; false].
Definition mu2 (b : bool) : R := if b then 1 / 4 else 3 / 4.
Definition R2 (b : bool) : bool := b.

Example mu2_dist : dist l2 mu2.
Proof. split; [intros [|] _; simpl; lra|simpl; lra]. Qed.
Example p2 : success l2 mu2 R2 = 1 / 4.
Proof. unfold success, expect, reward, R2. simpl. lra. Qed.
(** ... so S2 applies, and says something: the TV distance is not 0. *)
Example S2_not_vacuous : 0 < TV l2 (gibbs_policy l2 mu2 (reward R2) (1 / 2)) (filtered l2 mu2 R2).
Proof.
  rewrite (S2_TV l2 mu2 mu2_dist R2) by (rewrite ?p2; lra). rewrite p2.
  pose proof (exp_pos (1 / (1 / 2))). apply Rdiv_lt_0_compat; lra.
Qed.
(** A group of 16 with one success is in the domain of S5_advantage_binary. *)
Example S5_not_vacuous : binary [1; 0; 0] /\ 0 < total [1; 0; 0] < size [1; 0; 0].
Proof.
  split; [intros x [<-|[<-|[<-|[]]]]; auto|].
  unfold total, size. simpl. lra.
Qed.
(** S7 : n = 4, c = 1, k = 2 gives exactly 1/2. *)
Example S7_value : pass_at_k 4 1 2 = 1 / 2.
Proof.
  unfold pass_at_k. simpl choose. replace (4 - 1 <? 2)%nat with false by reflexivity.
  simpl. lra.
Qed.
